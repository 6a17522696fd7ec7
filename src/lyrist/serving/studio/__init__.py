"""The studio: a page for people who write and look into lyrics with the runs that are served. One file a tab."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

from lyrist._version import __version__
from lyrist.errors import needed_by
from lyrist.serving.studio.shown import shown as escaped

if TYPE_CHECKING:
    import gradio as gr

    from lyrist.serving.inferenceengine import InferenceEngine
    from lyrist.serving.studio.reading import Pages

__all__ = ["mount"]

SESSIONS = 500
"""People whose drafts are kept at once, half a megabyte each at most; the one who was away longest goes first."""

_QUIET = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_ANALYTICS_MAX_EVENTS": "1",  # else it keeps ten thousand, and after each makes a table of all of them
    "GRADIO_ANALYTICS_CACHE_FREQUENCY": str(2**62),
}
"""Gradio's statistics: nothing is sent anywhere, and nothing is kept."""


def mount(app: FastAPI, engine: InferenceEngine, settings: Any) -> None:
    """Put the studio at ``/`` of an app, behind every route that the app has already.

    Parameters
    ----------
    app
        The app of the server.
    desk
        What answers.
    settings
        How the server was started; nothing of it is needed so far but the limits of the desk.
    """
    os.environ.update(_QUIET)
    with needed_by("The studio", otherwise=", or serve with --no-studio"):
        import gradio  # noqa: F401

    async def built() -> None:
        _mount(app, engine)

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(built())  # outside of a loop Gradio makes some, and closes none
    else:
        _mount(app, engine)


def _mount(app: FastAPI, engine: InferenceEngine) -> None:
    import gradio as gr

    from lyrist.serving.studio import fence, reading, theme

    found = reading.pages(engine.models)
    found.serve(app)
    demo = _page(engine, found)
    gr.mount_gradio_app(
        app,
        demo,
        path="/",
        theme=theme.theme(),
        head=theme.head(),
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        show_error=False,
        pwa=False,
        enable_monitoring=False,
    )
    mounted = app.router.routes[-1]
    mounted.app = fence.Fence(mounted.app)  # type: ignore[attr-defined]


def _page(engine: InferenceEngine, found: Pages) -> gr.Blocks:
    import gradio as gr

    from lyrist.serving.studio import classify, compare, corpus, write

    demo: gr.Blocks = gr.Blocks(title="Lyrist studio", analytics_enabled=False, fill_width=True)
    with demo:
        gr.HTML(_masthead(engine), apply_default_css=False, padding=False)
        with gr.Tabs():
            with gr.Tab("Write", id="write"):
                write.build(engine, demo)
            with gr.Tab("Classify", id="classify"):
                classify.build(engine)
            with gr.Tab("Compare", id="compare"):
                compare.build(engine.models, found, demo)
            with gr.Tab("Corpus", id="corpus"):
                corpus.build(found, demo)
    demo.queue(default_concurrency_limit=16, max_size=256)
    demo.state_session_capacity = SESSIONS
    return demo


def _masthead(engine: InferenceEngine) -> str:
    runs = engine.models.items.values()
    told = [
        f"{len(of)} {name}{'s' if len(of) != 1 else ''}"
        for task, name in (("write", "writer"), ("classify", "classifier"), ("picture", "picture model"))
        if (of := [run for run in runs if run.task == task])
    ]
    return (
        f'<header class="masthead"><h1>Lyrist <span>studio</span></h1><p>{escaped(" · ".join(told))} · version {__version__}</p>'
        "</header>"
    )
