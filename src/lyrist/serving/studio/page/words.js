// Words: rhymes for the word at the cursor or for the line that this one must rhyme with, similar words, and words that go together.

import { debounced, h, note, visible } from './dom.js';
import { post } from './api.js';
import * as ops from './song.js';
import { t } from './texts.js';

const GRADES = ['perfect', 'near', 'multi'];
const TOKEN = /[\p{L}\p{M}\p{N}]+(?:['’-][\p{L}\p{M}\p{N}]+)*/gu;

/** Return the word at an offset of a text, with its place. */
export function wordAt(text, offset) {
  for (const found of text.matchAll(TOKEN)) if (found.index <= offset && offset <= found.index + found[0].length) return { word: found[0], start: found.index };
  return null;
}

/** Return a stress pattern as dots. */
const beats = stress => stress && h('span', { class: 'beats', role: 'img', 'aria-label': t('words.stress', { stress: [...stress].map(each => t(`words.beat.${each === '0' ? 'weak' : 'strong'}`)).join(' ') }) }, [...stress].map(each => (each === '0' ? '·' : '●')).join(''));

const lastWord = text => [...text.matchAll(TOKEN)].at(-1)?.[0] ?? '';

class SongWords extends HTMLElement {
  connect(session, sheet) {
    this.session = session;
    this.sheet = sheet;
    this.grade = 'perfect';
    this.replaceChildren(
      h('label', { class: 'field' }, t('words.word'),
        this.input = h('input', { type: 'search', autocomplete: 'off', spellcheck: 'false', maxlength: 60, oninput: () => { this.typed = true; this.lookSoon(); } })),
      this.ends = h('div', { class: 'chips', role: 'group', 'aria-label': t('words.ends') }),
      this.grades = h('fieldset', { class: 'chips' }, h('legend', { class: 'unseen' }, t('words.grade')), GRADES.map(grade =>
        h('label', { class: 'chip' }, h('input', { type: 'radio', name: 'grade', value: grade, checked: grade === this.grade, onchange: () => { this.grade = grade; this.look(); } }), h('span', {}, t(`words.${grade}`))))),
      this.found = h('div', { class: 'words-found', onkeydown: event => this.onKey(event) }));
    this.lookSoon = debounced(() => this.look(), 200);
    const later = debounced(() => this.follow(), 120);
    session.addEventListener('cursor', later);
    session.addEventListener('change', later);
  }

  disconnectedCallback() { this.waiting?.abort(); }

  /** Look up what the line of the cursor is to rhyme with, else the word at the cursor. */
  follow({ look = true } = {}) {
    if (this.hidden || this.contains(document.activeElement) || !this.checkVisibility()) return;
    this.typed = false;
    const { song, cursor } = this.session, here = ops.find(song, cursor.id);
    if (!here) return;
    const { letter } = ops.planned(here.section, here.l), length = here.section.rhyme.length || 1;
    const partners = here.section.lines.map((line, l) => [line, l]).filter(([line, l]) => l !== here.l && line.text.trim() && letter
      && ops.planned(here.section, l).letter === letter && Math.floor(l / length) === Math.floor(here.l / length));
    const at = wordAt(here.line.text, cursor.offset);
    const partner = partners.at(-1)?.[0];
    const before = here.section.lines.slice(0, here.l).findLast(line => line.text.trim());
    const word = partner ? lastWord(partner.text) : at?.word ?? lastWord(before?.text ?? '');
    this.drawEnds(here, word);
    if (!word || word === this.input.value) return;
    this.input.value = word;
    if (look) this.lookSoon();
  }

  drawEnds(here, word) {
    const ends = [...new Set(here.section.lines.filter(line => line.id !== here.line.id).map(line => lastWord(line.text)).filter(Boolean))];
    const at = wordAt(here.line.text, this.session.cursor.offset)?.word;
    const all = [...new Set([at, ...ends].filter(Boolean))].slice(0, 8);
    this.ends.replaceChildren(...all.map(end => h('button', { type: 'button', class: 'chip', 'aria-pressed': String(end === word), onclick: () => {
      this.input.value = end;
      for (const chip of this.ends.children) chip.setAttribute('aria-pressed', String(chip.textContent === visible(end)));
      this.look();
    } }, visible(end))));
  }

  /** Open with the word of the cursor, and focus the first rhyme. */
  async start() {
    this.follow({ look: false });
    await this.look();
    (this.found.querySelector('button') ?? this.input).focus();
  }

  async look() {
    const word = this.input.value.trim();
    this.waiting?.abort();
    if (!word) { this.found.replaceChildren(note(t('words.none'))); return; }
    const stop = this.waiting = new AbortController();
    const { song } = this.session, model = song.model || null, language = song.language || this.session.language || 'en';
    const ask = (path, body) => post(path, body, stop.signal).catch(error => ({ error }));
    const rhymes = (more = {}) => ask('/v1/rhymes', { word, language, grade: this.grade, limit: 80, ...more });
    const [found, words] = await Promise.all([rhymes(), model ? ask('/v1/words', { word, model }) : {}]);
    if (this.waiting !== stop) return;
    this.draw(word, found, words);
    if (model && found.rhymes?.length) this.rank(word, rhymes({ model, prefix: this.prefix() }), words, stop); // takes longer
  }

  /** Show the rhymes again when the writer has ranked them. */
  async rank(word, ranked, words, stop) {
    const found = await ranked;
    if (this.waiting !== stop || found.error) return;
    this.draw(word, found, words);
  }

  /** Return the text before the cursor, by which the writer ranks rhymes. */
  prefix() {
    const { song, cursor } = this.session, here = ops.find(song, cursor.id);
    if (!here) return null;
    const at = wordAt(here.line.text, cursor.offset);
    return [...here.section.lines.slice(0, here.l).map(line => line.text), here.line.text.slice(0, at ? at.start : cursor.offset)].join('\n').slice(-1000) || null;
  }

  /** Show what was found; the focus stays on its word. */
  draw(word, rhymes, words) {
    const focused = this.found.contains(document.activeElement) ? document.activeElement.textContent : null;
    if (rhymes.error) { this.found.replaceChildren(note(rhymes.error.message, 'error')); return; }
    const groups = Map.groupBy(rhymes.rhymes, found => `${found.syllables} ${found.stress ?? ''}`);
    const likely = rhymes.rhymes.filter(found => found.logprob != null).sort((a, b) => b.logprob - a.logprob).slice(0, 8);
    const part = (title, list) => list.length > 0 && h('section', {}, h('h2', {}, title), h('div', { class: 'word-list' }, list.map(each => this.button(each))));
    const text = each => (typeof each === 'string' ? { word: each } : each);
    this.found.replaceChildren(...[
      part(t('words.likely'), likely),
      ...[...groups.values()].sort(([a], [b]) => a.syllables - b.syllables).map(list => part([t('sheet.syllables', { n: list[0].syllables }), beats(list[0].stress)], list)),
      !rhymes.rhymes.length && note(t('words.noRhyme', { word: visible(word) })),
      part(t('words.similar'), (words.similar ?? []).map(text)), part(t('words.together'), (words.together ?? []).map(text)),
      rhymes.source && h('p', { class: 'hint' }, t('words.source', { source: rhymes.source })),
    ].filter(Boolean));
    if (focused !== null) [...this.found.querySelectorAll('.word')].find(each => each.textContent === focused)?.focus();
  }

  button({ word }) {
    return h('button', { type: 'button', class: 'word', onclick: () => this.use(word) }, visible(word));
  }

  onKey(event) {
    const all = [...this.found.querySelectorAll('button')], at = all.indexOf(document.activeElement);
    if (event.key === 'Escape') { event.preventDefault(); this.sheet.focusLine(); }
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step || at < 0) return;
    event.preventDefault();
    all[(at + step + all.length) % all.length].focus();
  }

  /** Put a word in place of the one that was looked up at the cursor, else at the cursor. */
  use(word) {
    const { song, cursor } = this.session, here = ops.find(song, cursor.id);
    if (!here) return;
    const { text } = here.line, at = wordAt(text, cursor.offset);
    this.session.edit('word', draft => {
      const { line } = ops.find(draft, cursor.id);
      if (at && at.word.toLowerCase() === this.input.value.trim().toLowerCase()) {
        line.text = text.slice(0, at.start) + word + text.slice(at.start + at.word.length);
        return { id: cursor.id, offset: at.start + word.length };
      }
      const before = text.slice(0, cursor.offset), after = text.slice(cursor.offset);
      const start = before && !/\s$/.test(before) ? `${before} ` : before;
      line.text = start + word + (after && !/^\s/.test(after) ? ' ' : '') + after;
      return { id: cursor.id, offset: start.length + word.length };
    });
  }
}

customElements.define('song-words', SongWords);
