// One open song: its state, unlimited undo, saving at each change, and its analysis while it is typed.

import { post } from './api.js';
import { find, isEmpty, withText } from './song.js';
import * as store from './store.js';

const TYPING = 1200; // milliseconds: changes of one line within this time are undone together
const VERSION = 10 * 60_000; // milliseconds between versions that are kept without request
const INDEX = 1000; // milliseconds between two requests while the server builds the index of copied runs

/** Events: `change` (the song; its detail has the caret and the line that was typed), `cursor`, `analysis`, `saved`. */
export class Session extends EventTarget {
  constructor(song) {
    super();
    this.cursor = { id: song.sections[0]?.lines[0]?.id, offset: 0, ids: [] };
    this.analysis = new Map();
    this.source = '';
    this.language = '';
    this.open(song);
  }

  /** Show a song; earlier states of another song are forgotten. */
  open(song) {
    this.song = song;
    this.past = [{ song, caret: this.cursor, kind: 'open', time: 0 }];
    this.place = 0;
    this.versionAt = Date.now();
  }

  /** Show the song as another tab has changed it; undo returns to what was here. */
  adopt(song) {
    this.song = song;
    if (this.past[this.place].kind !== 'elsewhere') this.place += 1;
    this.past.length = this.place;
    this.past.push({ song, caret: this.cursor, kind: 'elsewhere', time: 0 });
    this.emit('change', {});
    this.analyseSoon();
  }

  emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  /** Change the song: `act` changes a draft in place and may return the caret. */
  edit(kind, act) {
    const draft = structuredClone(this.song);
    const caret = act(draft);
    this.replace(draft, kind, caret);
  }

  /** Set the text of a line while it is typed. */
  type(id, text, offset) {
    if (find(this.song, id)?.line.text !== text) this.replace(withText(this.song, id, text), `type ${id}`, { id, offset });
  }

  /** Set fields of the song such as title and mood. */
  set(fields) {
    this.replace({ ...this.song, ...fields }, `set ${Object.keys(fields)}`);
  }

  replace(song, kind, caret) {
    const last = this.past[this.place], now = Date.now();
    this.song = { ...song, updated: now };
    this.past.length = this.place + 1;
    const entry = { song: this.song, caret: caret ?? this.cursor, kind, time: now };
    if (/^(type|set) /.test(kind) && last.kind === kind && now - last.time < TYPING) this.past[this.place] = entry;
    else this.place = this.past.push(entry) - 1;
    this.changed(caret, kind);
  }

  get canUndo() { return this.place > 0; }

  get canRedo() { return this.place < this.past.length - 1; }

  undo() { if (this.canUndo) this.travel(-1, this.past[this.place].caret); }

  redo() { if (this.canRedo) this.travel(1); }

  travel(step, caret) {
    this.place += step;
    const entry = this.past[this.place];
    entry.time = 0; // what is typed now is a change of its own
    this.song = { ...entry.song, updated: Date.now() };
    const where = [caret, entry.caret].find(each => each?.id && find(this.song, each.id));
    this.changed(where ?? { id: this.song.sections[0].lines[0].id, offset: 0 }, 'undo');
  }

  changed(caret, kind) {
    if (caret?.id) this.cursor = { id: caret.id, offset: caret.offset ?? 0, ids: caret.ids ?? [] };
    this.emit('change', { caret, kind, typed: kind.startsWith('type ') ? caret.id : null });
    this.save();
    this.analyseSoon();
    if (Date.now() - this.versionAt > VERSION) this.keep('auto');
  }

  move(cursor) {
    if (cursor.id === this.cursor.id && cursor.offset === this.cursor.offset && String(cursor.ids) === String(this.cursor.ids)) return;
    this.cursor = cursor;
    this.emit('cursor');
  }

  /** Save at each change; changes during a write are saved after it. */
  async save() {
    if (this.saving) { this.again = true; return; }
    this.saving = true;
    do {
      this.again = false;
      try { await store.save(this.song); this.failed = false; } catch { this.failed = true; }
    } while (this.again);
    this.saving = false;
    this.emit('saved');
  }

  keep(why) {
    this.versionAt = Date.now();
    return store.saveVersion(this.song, why);
  }

  /** End what still runs for the song. */
  close() {
    this.closed = true;
    this.waiting?.abort();
    clearTimeout(this.later);
  }

  /** Analyse the song as it is now: at once, or after the request in progress. */
  async analyseSoon() {
    this.unanalysed = true;
    if (this.analysing) return;
    this.analysing = true;
    while (this.unanalysed && !this.closed) {
      this.unanalysed = false;
      await this.analyse();
    }
    this.analysing = false;
  }

  /** Request syllables, stress, rhymes and copied runs of all lines. */
  async analyse() {
    clearTimeout(this.later);
    const stop = this.waiting = new AbortController();
    const { sections, model, language } = this.song;
    if (isEmpty(this.song)) { this.analysis = new Map(); this.emit('analysis'); return; }
    try {
      const body = { sections: sections.map(({ name, lines }) => ({ name, lines: lines.map(line => line.text) })), language: language || null, model: model || null };
      const found = await post('/v1/analyse', body, stop.signal);
      this.analysis = new Map(sections.flatMap((section, s) => section.lines.map((line, l) => [line.id, found.sections[s].lines[l]])));
      this.source = found.source ?? '';
      this.language = found.language ?? '';
      this.problem = '';
      if (found.copies === 'indexing' && !this.closed) this.later = setTimeout(() => this.analyseSoon(), INDEX);
    } catch (error) {
      if (error.name === 'AbortError') return;
      this.problem = error.message;
    }
    this.emit('analysis');
  }
}
