// The page Corpus: search songs, read one with its near-copies and contained versions, and look at the whole corpus.

import { bdi, debounced, empty, h, note, visible } from './dom.js';
import { get } from './api.js';
import { t } from './texts.js';

const PAGE = 25;

export async function page(main, id) {
  const [{ data }, pages] = await Promise.all([get('/v1/corpora'), get('/studio/pages')]);
  if (!data.length) {
    main.replaceChildren(h('div', { class: 'page' }, h('h1', {}, t('nav.corpus')), empty(t('corpus.none'), t('corpus.noneHow'))));
    return;
  }
  new Corpus(main, data, pages, id);
}

class Corpus {
  constructor(main, all, pages, id) {
    this.all = all;
    this.pages = pages;
    const search = debounced(() => this.search(0), 200);
    const input = (name, more = {}) => h('input', { type: 'search', maxlength: 200, oninput: search, ...more, name });
    this.corpus = h('select', { onchange: () => this.open() }, all.map((corpus, n) => h('option', { value: n }, visible(corpus.name))));
    this.q = input('q', { placeholder: t('corpus.searchHint') });
    this.genre = input('genre', { list: 'genres', placeholder: t('corpus.any') });
    this.artist = input('artist', { list: 'artists', placeholder: t('corpus.any') });
    this.lists = [h('datalist', { id: 'genres' }), h('datalist', { id: 'artists' })];
    this.facts = h('p', { class: 'lede' });
    this.list = h('section', { class: 'found', 'aria-label': t('corpus.found') });
    this.reading = h('section', { class: 'reading', 'aria-live': 'polite' });
    this.whole = h('details', { class: 'whole', ontoggle: () => this.explore() }, h('summary', {}, t('corpus.whole')), h('div', {}));
    main.replaceChildren(h('div', { class: 'page' }, h('h1', {}, t('nav.corpus')), this.facts,
      h('div', { class: 'filters' }, h('label', { class: 'field', hidden: all.length < 2 }, t('corpus.corpus'), this.corpus), h('label', { class: 'field wide' }, t('corpus.search'), this.q),
        h('label', { class: 'field' }, t('corpus.genre'), this.genre), h('label', { class: 'field' }, t('corpus.artist'), this.artist)), this.lists,
      h('div', { class: 'two even' }, this.list, this.reading), this.whole));
    this.open(id);
  }

  get chosen() { return this.all[Number(this.corpus.value)]; }

  open(id) {
    const { problem, songs, rows, splits, genres, artists } = this.chosen;
    this.q.value = this.genre.value = this.artist.value = '';
    this.whole.open = false;
    this.reading.replaceChildren(empty(t('corpus.nothing'), t('corpus.nothingYet')));
    if (problem) { this.facts.textContent = ''; this.list.replaceChildren(note(problem, 'error')); return; }
    this.facts.textContent = t('corpus.facts', { songs: songs.toLocaleString('en'), rows: rows.toLocaleString('en'), splits: Object.entries(splits).map(([name, n]) => `${name} ${n.toLocaleString('en')}`).join(', ') });
    this.lists.forEach((list, n) => list.replaceChildren(...[genres, artists][n].map(({ name, songs: count }) => h('option', { value: name }, count.toLocaleString('en')))));
    this.search(0);
    if (id) this.read(id);
  }

  async search(start) {
    this.waiting?.abort();
    const stop = this.waiting = new AbortController();
    const query = new URLSearchParams({ model: this.chosen.models[0], q: this.q.value, genre: this.genre.value, artist: this.artist.value, start, limit: PAGE });
    try {
      const { data, more } = await get(`/v1/corpus/search?${query}`, stop.signal);
      this.draw(data, start, more);
    } catch (error) {
      if (error.name !== 'AbortError') this.list.replaceChildren(note(error.message, 'error'));
    }
  }

  draw(songs, start, more) {
    if (!songs.length) { this.list.replaceChildren(empty(t('corpus.noSong'), t('corpus.noSongHow'))); return; }
    const rows = songs.map(song => h('li', {}, h('button', { type: 'button', 'data-id': song.id, onclick: () => this.read(song.id) },
      h('strong', {}, bdi(song.title || t('song.untitled'))), h('span', { class: 'by' }, bdi(song.artist || t('corpus.noArtist'))),
      h('span', { class: 'more' }, [song.genre, song.year].filter(Boolean).map(visible).join(' · ')), song.line ? h('span', { class: 'hit', dir: 'auto' }, lit(song.line, this.q.value)) : '')));
    this.list.replaceChildren(h('p', { class: 'hint', role: 'status' }, t(more ? 'corpus.songsMore' : 'corpus.songs', { first: start + 1, last: start + songs.length })), h('ul', { class: 'rows' }, rows),
      h('div', { class: 'go' }, start > 0 && h('button', { type: 'button', onclick: () => this.search(start - PAGE) }, t('corpus.earlier')), more && h('button', { type: 'button', onclick: () => this.search(start + PAGE) }, t('corpus.further'))));
  }

  async read(id) {
    for (const button of this.list.querySelectorAll('button[data-id]')) button.toggleAttribute('aria-current', button.dataset.id === String(id));
    try {
      const address = `/v1/corpus/songs/${encodeURIComponent(id)}`, query = new URLSearchParams({ model: this.chosen.models[0] });
      const turn = this.turn = {};
      this.show(await get(`${address}?${query}`));
      const { data } = await get(`${address}/similar?${query}`);
      if (turn === this.turn) this.showSimilar(data);
    } catch (error) {
      this.reading.replaceChildren(note(error.message, 'error'));
    }
  }

  show(song) {
    const about = [song.genre, song.year, song.language, song.split && t('corpus.split', { name: song.split })].filter(Boolean).map(visible).join(' · ');
    const others = (title, list, about) => (list?.length ? [h('h3', {}, title), this.others(list, about)] : []);
    const share = value => (value == null ? '' : new Intl.NumberFormat('en', { style: 'percent' }).format(value));
    const kept = other => (other.split ? t('corpus.split', { name: other.split }) : t('corpus.dropped'));
    const lines = song.lyrics.split('\n').filter(line => line.trim());
    if (innerWidth < 900) requestAnimationFrame(() => this.reading.scrollIntoView());
    this.reading.replaceChildren(h('article', { class: 'read' },
      h('header', {}, h('h2', {}, bdi(song.title || t('song.untitled'))), h('p', { class: 'by' }, bdi(song.artist || t('corpus.noArtist'))), h('p', { class: 'hint' }, about)),
      h('div', { class: 'lyrics', dir: 'auto', tabIndex: 0, role: 'region', 'aria-label': t('classify.lyrics') }, lit(song.lyrics, this.q.value)),
      h('footer', {}, h('p', { class: 'hint' }, t('corpus.counts', { words: (song.lyrics.match(/[\p{L}\p{N}'’]+/gu) ?? []).length, lines: lines.length })),
        others(t('corpus.copies'), song.copies, other => [share(other.jaccard), kept(other)].filter(Boolean).join(', ')),
        others(t('corpus.contained'), song.contained, other => [t(other.within ? 'corpus.within' : 'corpus.contains'), share(other.containment), kept(other)].filter(Boolean).join(', ')),
        this.similar = h('div', {}, note(t('corpus.similarSought'), 'busy')))));
  }

  /** Show songs with similar words below the song. */
  showSimilar(songs) {
    const percent = new Intl.NumberFormat('en', { style: 'percent' });
    this.similar.replaceChildren(h('h3', {}, t('corpus.similar')), songs.length ? this.others(songs, song => percent.format(song.similarity)) : h('p', { class: 'hint' }, t('corpus.similarNone')));
  }

  /** Return a list of songs to read. */
  others(songs, about) {
    return h('ul', { class: 'others' }, songs.map(song => h('li', {},
      h('button', { type: 'button', class: 'link', onclick: () => this.read(song.id) }, bdi(song.title || t('song.untitled'))), ' ', bdi(song.artist ?? ''), ' ', h('span', { class: 'hint' }, about(song)))));
  }

  /** Show the page about the whole corpus, which the server draws on demand. */
  explore() {
    const place = this.whole.lastElementChild;
    if (!this.whole.open) { place.replaceChildren(); return; }
    const found = this.pages.corpora.find(each => each.models.some(model => this.chosen.models.includes(model)));
    if (found) place.replaceChildren(h('p', { class: 'hint' }, h('a', { href: found.page, target: '_blank', rel: 'noopener' }, t('compare.alone'))), h('iframe', { src: found.page, sandbox: '', title: t('corpus.whole') }));
  }
}

/** Return a text with what was searched for marked in it. */
function lit(text, query) {
  const sought = query.trim().replace(/\s+/g, ' ');
  if (!sought) return visible(text);
  return text.split(new RegExp(`(${sought.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')})`, 'gi')).map((piece, n) => n % 2 ? h('mark', {}, visible(piece)) : visible(piece));
}
