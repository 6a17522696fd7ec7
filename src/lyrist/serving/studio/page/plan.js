// The plan beside the sheet: what the song is about, its template, and rhyme, syllables and metre of each section.

import { announce, debounced, h, visible } from './dom.js';
import * as ops from './song.js';
import { t } from './texts.js';

const LANGUAGES = ['en', 'es', 'pt', 'fr', 'it', 'de'];
const METRES = ['', 'iambic', 'trochaic', 'anapestic', 'dactylic'];

class SongPlan extends HTMLElement {
  connect(session) {
    this.session = session;
    this.fields = Object.fromEntries(['topic', 'mood', 'use', 'avoid'].map(name => [name, h('input', {
      type: 'text', maxlength: 500, autocomplete: 'off', placeholder: t(`plan.${name}Hint`), oninput: event => session.set({ [name]: event.target.value }),
    })]));
    const field = name => h('label', { class: 'field' }, t(`plan.${name}`), this.fields[name]);
    this.language = h('select', { onchange: () => session.set({ language: this.language.value }) },
      h('option', { value: '' }, t('plan.anyLanguage')), LANGUAGES.map(code => h('option', { value: code }, t(`language.${code}`))));
    this.template = h('select', { 'aria-label': t('plan.template') }, h('option', { value: '' }, t('plan.template')), Object.keys(ops.TEMPLATES).map(name => h('option', { value: name }, t(`template.${name}`))));
    this.replaceChildren(
      h('section', {}, h('h2', {}, t('plan.intent')), field('topic'), field('mood'), field('use'), this.used = h('p', { class: 'met' }), field('avoid'), h('label', { class: 'field' }, t('plan.language'), this.language)),
      h('section', {}, h('h2', {}, t('plan.form')),
        h('div', { class: 'go' }, this.template, h('button', { type: 'button', onclick: () => this.apply() }, t('plan.apply'))),
        h('label', { class: 'field' }, t('plan.tempo'), this.tempo = h('input', { type: 'number', min: 20, max: 400, step: 1, placeholder: '96', oninput: () => session.set({ tempo: this.tempo.value && this.tempo.validity.valid ? Number(this.tempo.value) : null }) })),
        this.duration = h('p', { class: 'hint' }),
        this.table = h('div', { class: 'plan-sections' })));
    const tags = debounced(() => this.showWords(), 150);
    session.addEventListener('change', ({ detail }) => (detail.typed ? tags() : this.show()));
    session.addEventListener('analysis', () => this.showPace());
    this.show();
  }

  apply() {
    if (!this.template.value) return;
    this.session.edit('template', song => {
      song.sections = ops.fromTemplate(this.template.value, song.sections);
      return { id: song.sections[0].lines[0].id, offset: 0 };
    });
    announce(t('plan.applied'));
  }

  show() {
    const { song } = this.session;
    for (const [name, input] of Object.entries(this.fields)) if (input.value !== song[name]) input.value = song[name];
    this.language.value = song.language;
    if (document.activeElement !== this.tempo) this.tempo.value = song.tempo ?? '';
    const seconds = song.sections.reduce((sum, section) => sum + ops.secondsOfLine(song, section) * section.lines.length, 0);
    this.duration.textContent = seconds ? t('plan.length', { time: ops.clock(seconds) }) : '';
    this.showWords();
    this.showPace();
    if (this.table.contains(document.activeElement) && this.table.children.length === song.sections.length) return;
    this.table.replaceChildren(...song.sections.map(section => this.row(section)));
    this.showPace();
  }

  /** Show the length of each section, and the syllables a second of its fastest line. */
  showPace() {
    const { song, analysis } = this.session;
    song.sections.forEach((section, s) => {
      const place = this.table.children[s]?.querySelector('.pace'), seconds = ops.secondsOfLine(song, section);
      if (!place) return;
      const most = Math.max(0, ...section.lines.map(line => analysis.get(line.id)?.syllables ?? 0));
      place.textContent = seconds === null ? '' : most ? t('plan.pace', { time: ops.clock(seconds * section.lines.length), n: (most / seconds).toFixed(1) }) : ops.clock(seconds * section.lines.length);
    });
  }

  /** Show which words to use or to avoid are in the song. */
  showWords() {
    const { song } = this.session;
    const text = ops.toText(song).toLowerCase(), has = word => new RegExp(`(?<![\\p{L}\\p{N}])${word.toLowerCase().replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?![\\p{L}\\p{N}])`, 'u').test(text.slice(song.title.length));
    this.used.replaceChildren(
      ...ops.words(song.use).map(word => h('span', { class: `tag ${has(word) ? 'good' : ''}` }, t(has(word) ? 'plan.used' : 'plan.unused', { word: visible(word) }))),
      ...ops.words(song.avoid).filter(has).map(word => h('span', { class: 'tag bad' }, t('plan.present', { word: visible(word) }))));
  }

  row({ id, name, rhyme, syllables, metre, beats, lines }) {
    const set = (key, value) => this.session.edit(`set ${key} ${id}`, song => { song.sections.find(section => section.id === id)[key] = value; });
    const label = visible(name) || t('sheet.unnamed');
    const numbers = text => {
      const found = (text.match(/\d+/g) ?? []).map(Number).filter(n => n > 0 && n <= 40);
      return found.length > 1 ? found : found[0] ?? null;
    };
    return h('div', { class: 'plan-row', role: 'group', 'aria-label': label },
      h('span', { class: 'plan-name' }, h('bdi', {}, label)), h('span', { class: 'hint pace' }),
      h('label', {}, h('span', {}, t('plan.lines')), h('input', { type: 'number', min: 1, max: 99, value: lines.length, onchange: event => this.resize(id, event.target) })),
      h('label', {}, h('span', {}, t('plan.rhyme')), h('input', { value: rhyme, maxlength: 16, placeholder: 'AABB', spellcheck: 'false', oninput: event => set('rhyme', event.target.value.toUpperCase().replace(/[^A-Z]/g, '')) })),
      h('label', {}, h('span', {}, t('plan.syllables')), h('input', { value: [syllables ?? ''].flat().join(' '), maxlength: 80, placeholder: '8', inputmode: 'numeric', oninput: event => set('syllables', numbers(event.target.value)) })),
      h('label', {}, h('span', {}, t('plan.metre')), h('select', { value: metre, onchange: event => set('metre', event.target.value) }, METRES.map(each => h('option', { value: each }, t(`metre.${each || 'free'}`))))),
      h('label', {}, h('span', {}, t('plan.beats')), h('input', { type: 'number', min: 1, max: 32, value: beats ?? '', placeholder: ops.BEATS, oninput: event => set('beats', event.target.value && event.target.validity.valid ? Number(event.target.value) : null) })));
  }

  /** Give a section a number of lines: empty ones are added or removed at its end, none with words. */
  resize(id, input) {
    if (!input.value || !input.validity.valid) { this.show(); return; }
    this.session.edit(`set lines ${id}`, song => {
      const { lines } = song.sections.find(section => section.id === id), wanted = Number(input.value);
      while (lines.length < wanted) lines.push(ops.newLine());
      while (lines.length > wanted && !lines.at(-1).text.trim()) lines.pop();
      input.value = lines.length;
    });
  }
}

customElements.define('song-plan', SongPlan);
