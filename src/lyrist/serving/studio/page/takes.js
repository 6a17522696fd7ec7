// Takes: alternatives for a line, a gap, a selection, the rest of a section or all of it; streamed, ranked, used by number.

import { announce, debounced, empty, h, icon, note, stored, visible } from './dom.js';
import { events, models } from './api.js';
import * as ops from './song.js';
import { t } from './texts.js';

const COUNT = 5;
const NEW = 4; // lines of "continue" where the section has no empty ones left
const CONDITIONS = ['genre', 'artist'];
const SCOPES = ['line', 'next', 'rest', 'section'];
const TONES = ['plainer', 'stranger', 'shorter'];
const SAMPLING = { temperature: { min: 0.1, max: 2, step: 0.1, value: 0.9 }, candidates: { min: 1, max: 64, step: 1, value: 16 } };
const CHOSEN = 'lyrist-sampling';
const FREE = 'free'; // no rhyme and no number of syllables

class SongTakes extends HTMLElement {
  connect(session, sheet) {
    this.session = session;
    this.sheet = sheet;
    this.scope = 'line';
    this.takes = [];
    this.replaceChildren(
      this.where = h('p', { class: 'where' }),
      this.scopes = h('fieldset', { class: 'chips' }, h('legend', { class: 'unseen' }, t('takes.scope')), SCOPES.map(scope =>
        h('label', { class: 'chip' }, h('input', { type: 'radio', name: 'scope', value: scope, checked: scope === 'line', onchange: () => { this.scope = scope; this.show(); } }), h('span', {}, t(`takes.scope.${scope}`))))),
      h('div', { class: 'pair' },
        this.rhymeBox = h('label', { class: 'field' }, t('takes.rhymeWith'), this.rhyme = h('select', {})),
        this.likeBox = h('label', { class: 'field' }, t('takes.formOf'), this.form = h('select', {}))),
      this.style = h('details', { class: 'style' }, this.styleNow = h('summary', {}), h('div', { class: 'pair' },
        this.writerBox = h('label', { class: 'field' }, t('takes.writer'), this.writer = h('select', { onchange: () => { session.set({ model: this.writer.value }); this.offerStyles(); } })),
        this.genre = this.choice('genre'), this.artist = this.choice('artist'))),
      h('details', { class: 'style' }, h('summary', {}, t('takes.advanced')), h('div', { class: 'pair' }, Object.keys(SAMPLING).map(name => this.dial(name)))),
      h('div', { class: 'go' },
        this.go = h('button', { type: 'button', class: 'primary', onclick: () => this.request() }, icon('write'), h('span', {}, t('takes.get', { n: COUNT })), h('kbd', {}, t('key.takes'))),
        this.halt = h('button', { type: 'button', hidden: true, onclick: () => this.stop() }, t('takes.stop'))),
      this.status = h('div', { class: 'status' }),
      this.list = h('ol', { class: 'take-list', tabIndex: -1, role: 'group', 'aria-label': t('takes.list'), onkeydown: event => this.onKey(event) }),
      this.tones = h('div', { class: 'chips', role: 'group', 'aria-label': t('takes.more'), hidden: true },
        h('span', { class: 'label' }, t('takes.more')), TONES.map(tone => h('button', { type: 'button', class: 'chip', onclick: () => this.again({ tone }) }, t(`takes.${tone}`)))));
    const later = debounced(() => { if (this.checkVisibility()) this.show(); }, 60);
    session.addEventListener('cursor', later);
    session.addEventListener('change', later);
    this.offer();
    this.show();
  }

  disconnectedCallback() { this.waiting?.abort(); }

  /** List the served writers. */
  async offer() {
    const found = await models().catch(() => []);
    const writers = found.filter(model => model.task === 'write');
    this.writer.replaceChildren(...writers.map(model => h('option', { value: model.id }, visible(model.id))));
    this.writers = writers;
    this.writerBox.hidden = writers.length < 2;
    this.go.disabled = !writers.length;
    if (!writers.length) { this.status.replaceChildren(empty(t('takes.noWriter'), t('takes.noWriterHow'))); return; }
    const chosen = writers.some(model => model.id === this.session.song.model) ? this.session.song.model : writers[0].id;
    this.writer.value = chosen;
    if (this.session.song.model !== chosen) this.session.song = { ...this.session.song, model: chosen };
    this.offerStyles();
    this.session.analyseSoon();
  }

  /** Return the input of a sampling option, which is kept for all songs. */
  dial(name) {
    const { value, ...bounds } = SAMPLING[name], about = `about-${name}`;
    const input = h('input', { type: 'number', ...bounds, value: this.sampling()[name] ?? value, 'aria-describedby': about, onchange: () => {
      const given = Number(input.value), kept = input.value && input.validity.valid && given !== value ? given : undefined;
      if (kept === undefined) input.value = value;
      stored.set(CHOSEN, JSON.stringify({ ...this.sampling(), [name]: kept }));
    } });
    return h('label', { class: 'field' }, t(`takes.${name}`), input, h('span', { class: 'hint', id: about }, t(`takes.${name}Hint`)));
  }

  /** Return the sampling options that differ from the defaults. */
  sampling() {
    try { return JSON.parse(stored.get(CHOSEN)) ?? {}; } catch { return {}; }
  }

  /** Return the choice of a condition that a writer may have. */
  choice(name) {
    const select = h('select', { onchange: () => { this.session.set({ [name]: select.value }); this.showStyle(); } });
    return h('label', { class: 'field' }, t(`corpus.${name}`), select);
  }

  /** Offer the genres and artists that the writer is conditioned on. */
  offerStyles() {
    const { conditions = {} } = this.writers.find(model => model.id === this.writer.value) ?? {}, { song } = this.session;
    for (const name of CONDITIONS) {
      const select = this[name].querySelector('select'), values = conditions[name] ?? [];
      select.replaceChildren(h('option', { value: '' }, t('takes.any')), ...values.map(value => h('option', { value }, visible(value))));
      select.value = values.includes(song[name]) ? song[name] : '';
      this[name].hidden = !values.length;
    }
    this.showStyle();
  }

  showStyle() {
    const shown = CONDITIONS.filter(name => !this[name].hidden).map(name => visible(this.conditions()[name] ?? t(`takes.any.${name}`)));
    this.styleNow.textContent = [...(this.writerBox.hidden ? [] : [visible(this.writer.value)]), ...shown].join(' · ');
    this.style.hidden = !this.styleNow.textContent;
  }

  /** Return the conditions of the request: those that were chosen and that the writer knows. */
  conditions() {
    return Object.fromEntries(CONDITIONS.map(name => [name, this[name].querySelector('select').value]).filter(([, value]) => value));
  }

  /** Show which lines the next takes are for. */
  show() {
    const { song, cursor } = this.session, here = ops.find(song, cursor.id);
    if (!here) return;
    const several = cursor.ids.length > 1, text = visible(here.line.text.trim());
    const name = visible(here.section.name) || t('sheet.unnamed');
    const place = several ? t('takes.selection', { n: cursor.ids.length }) : this.scope === 'section' ? name : t('sheet.line', { section: name, n: here.l + 1 });
    this.where.replaceChildren(h('strong', {}, place), several || this.scope === 'section' || !text ? '' : h('q', {}, text));
    this.scopes.disabled = several;
    const single = !several && ['line', 'next'].includes(this.scope);
    this.rhymeBox.hidden = !single;
    this.likeBox.hidden = single || several;
    fill(this.rhyme, [['', t(here.section.rhyme ? 'takes.asPlanned' : this.scope === 'line' && this.partner(here) ? 'takes.asNow' : 'takes.free')], ...(here.section.rhyme || this.partner(here) ? [[FREE, t('takes.free')]] : []), ...ops.lines(song).filter(line => line.text.trim() && (this.scope === 'next' || line.id !== cursor.id)).map(line => [line.id, visible(line.text)])]);
    fill(this.form, [['', t('takes.ownPlan')], ...song.sections.filter(section => section.id !== here.section.id && section.lines.some(line => line.text.trim())).map(section => [section.id, t('takes.like', { name: visible(section.name) || t('sheet.unnamed') })])]);
  }

  /** Return the line that a line rhymes with now, in its section; undefined if it does with none. */
  partner({ section, line }) {
    const rhyme = id => this.session.analysis.get(id)?.rhyme, own = rhyme(line.id);
    return own?.grade && section.lines.find(other => other.id !== line.id && other.text.trim() && rhyme(other.id)?.grade && rhyme(other.id).letter === own.letter);
  }

  /** Request takes for the cursor. */
  async request({ scope, tone = '', like = null } = {}) {
    if (this.go.disabled) return;
    if (scope) { this.scope = scope; this.scopes.querySelector(`[value=${scope}]`).checked = true; }
    this.show();
    this.target = this.aim();
    await this.run({ tone, like });
  }

  /** Request other takes for the same lines as before. */
  async again({ tone = '', like = null }) {
    if (this.target) { this.target = this.aimAgain(); await this.run({ tone, like }); }
  }

  async run({ tone, like }) {
    this.stop();
    if (!this.target) { this.status.replaceChildren(note(t('takes.gone'), 'error')); return; }
    const stop = this.waiting = new AbortController();
    const { sheet, target } = this.target;
    const body = { model: this.writer.value, sheet, target, n: COUNT, seed: crypto.getRandomValues(new Uint32Array(1))[0] >>> 1, like, tone, ...this.sampling() };
    this.takes = [];
    this.used = null;
    this.halt.hidden = false;
    this.status.replaceChildren(note(t('takes.writing'), 'busy'));
    this.list.replaceChildren();
    this.list.focus({ preventScroll: true });
    if (innerWidth < 900) this.status.scrollIntoView();
    let problem = '';
    try {
      for await (const found of events('/v1/compose', body, stop.signal)) {
        if (found.take) this.takes.push(found.take);
        if (found.takes) this.takes = found.takes;
        this.draw();
      }
    } catch (error) {
      if (this.waiting !== stop) return; // replaced by another request
      if (error.name !== 'AbortError') problem = error.message;
    }
    if (this.waiting !== stop) return;
    this.waiting = null;
    this.halt.hidden = true;
    const message = problem ? note(problem, 'error') : this.takes.length ? h('p', { class: 'hint' }, t('takes.choose')) : note(t('takes.none'));
    this.status.replaceChildren(message);
    if (this.takes.length) announce(t('takes.found', { n: this.takes.length }));
  }

  stop() {
    this.waiting?.abort();
    this.halt.hidden = true;
  }

  // Which lines: the sheet of the request, its target, and the lines that a take's lines are for.

  aim() {
    const { song, cursor } = this.session, here = ops.find(song, cursor.id);
    if (!here) return null;
    const several = cursor.ids.length > 1;
    const scope = several ? 'lines' : this.scope;
    const chosen = this.rhymeBox.hidden ? '' : this.rhyme.value, free = chosen === FREE;
    const partner = scope === 'line' && !chosen && !here.section.rhyme ? this.partner(here) : null; // rhyme and scan as now
    const rhymed = free ? null : chosen || partner?.id;
    const syllables = partner && !here.section.syllables ? this.session.analysis.get(cursor.id)?.syllables : null;
    return this.build({ scope, id: cursor.id, ids: [...cursor.ids], rhymed, free, syllables, form: this.likeBox.hidden ? '' : this.form.value });
  }

  /** Aim at the same lines in the song as it is now; lines that a take was put into are replaced. */
  aimAgain() {
    const { made, ...given } = this.target.given;
    if (given.scope === 'next' && made) return this.build({ ...given, scope: 'line', id: made, made });
    return ops.find(this.session.song, given.id) ? this.build({ ...given, made }) : null;
  }

  build(given) {
    const { song } = this.session, here = ops.find(song, given.id), sheet = { ...ops.sheetOf(song), ...this.conditions() }, part = sheet.sections[here.s];
    const rhymed = given.rhymed && ops.find(song, given.rhymed);
    if (given.free) part.rhyme = null;
    if (given.syllables) part.syllables = part.lines.map(() => given.syllables);
    const rhyme_with = rhymed ? [rhymed.s, rhymed.l] : undefined;
    if (given.scope === 'line') return { given, sheet, target: { section: here.s, line: here.l, rhyme_with }, ids: [here.line.id] };
    if (given.scope === 'next') return { given, sheet, target: { section: here.s, line: here.l + 1, insert: true, rhyme_with }, ids: [null] };
    const ids = here.section.lines.map(line => line.id);
    this.likeForm(part, given.form, ids);
    const open = (line, l) => given.scope === 'lines' ? given.ids.includes(ids[l])
      : given.scope === 'rest' ? l > here.l || (l === here.l && !line.text.trim()) : true;
    if (given.scope === 'rest' && !part.lines.some((line, l) => open(line, l) && !line.text.trim())) {
      for (let n = 0; n < NEW; n += 1) { part.lines.push({ text: '', locked: false }); ids.push(null); }
    }
    for (const [l, line] of part.lines.entries()) if (!open(line, l) || (given.scope === 'rest' && line.text.trim())) line.locked = true;
    return { given, sheet, target: { section: here.s }, ids };
  }

  /** Give a section the number of lines, rhyme and syllables of another one. */
  likeForm(part, id, ids) {
    const model = this.session.song.sections.find(section => section.id === id);
    if (!model) return;
    const rows = model.lines.filter(line => line.text.trim()), found = rows.map(line => this.session.analysis.get(line.id));
    const free = [...'ZYXWVUTSRQPO'];
    const letters = found.map(line => line?.rhyme?.letter ?? free.shift() ?? 'N').join('');
    part.rhyme = model.rhyme || (new Set(letters).size < letters.length ? letters : null);
    part.syllables = found.every(line => line?.syllables) ? found.map(line => line.syllables) : model.syllables;
    part.metre = model.metre || null;
    while (part.lines.length < rows.length) { part.lines.push({ text: '', locked: false }); ids.push(null); }
  }

  // The list.

  draw() {
    const focused = this.list.contains(document.activeElement) ? document.activeElement : null;
    this.list.replaceChildren(...this.takes.map((take, number) => this.card(take, number)));
    this.tones.hidden = !this.takes.length;
    if (focused) this.list.focus({ preventScroll: true });
  }

  card(take, number) {
    const several = take.lines.length > 1, used = this.used === number;
    const open = take.lines.map((_, l) => !several || !this.target.sheet.sections[this.target.target.section].lines[l]?.locked);
    const lines = take.lines.map((line, l) => several && open[l]
      ? h('button', { type: 'button', class: 'take-line', title: t('takes.onlyLine'), dir: 'auto', onclick: () => this.use(number, l) }, visible(line))
      : h('span', { class: open[l] ? 'take-line' : 'take-line kept', dir: 'auto' }, visible(line)));
    const about = this.met(take);
    const head = [h('kbd', {}, number + 1)];
    return h('li', { class: `take${used ? ' used' : ''}` },
      several
        ? [h('button', { type: 'button', class: 'use', 'aria-pressed': String(used), 'aria-keyshortcuts': number + 1, onclick: () => this.use(number) }, head, t('takes.useAll')), h('div', { class: 'take-lines' }, lines)]
        : h('button', { type: 'button', class: 'use', 'aria-pressed': String(used), 'aria-keyshortcuts': number + 1, onclick: () => this.use(number) }, head, h('span', { class: 'take-lines' }, lines)),
      h('div', { class: 'met' }, about, h('button', { type: 'button', class: 'link', onclick: () => this.again({ like: take.lines.join('\n') }), 'aria-label': t('takes.likeThisOne', { n: number + 1 }) }, t('takes.likeThis'))));
  }

  /** Return what a take meets. */
  met({ met = {} }) {
    const found = [];
    if (met.rhyme && met.rhyme !== 'none') found.push([t(`takes.rhyme.${met.rhyme}`), 'good']);
    if (met.rhyme === 'none') found.push([t('takes.rhyme.none'), 'bad']);
    const { sheet, target } = this.target, planned = sheet.sections[target.section].syllables, syllables = met.syllables ?? [];
    const fits = syllables.map((n, l) => { const plan = ops.planned({ syllables: planned }, target.line ?? l).syllables; return plan && n ? Math.abs(n - plan) <= 1 : null; });
    if (syllables.length === 1 && syllables[0]) found.push([t('sheet.syllables', { n: syllables[0] }), fits[0] === null ? '' : fits[0] ? 'good' : 'bad']);
    else if (fits.some(each => each !== null)) found.push([t('takes.syllables', { n: fits.filter(Boolean).length, of: fits.length }), fits.includes(false) ? '' : 'good']);
    for (const word of met.uses ?? []) found.push([t('takes.uses', { word: visible(word) }), 'good']);
    if (met.copied) found.push([t('takes.copied'), 'bad']);
    return found.map(([text, kind]) => h('span', { class: `tag ${kind}` }, text));
  }

  onKey(event) {
    if (/^[1-9]$/.test(event.key) && !event.ctrlKey && !event.metaKey) { event.preventDefault(); this.use(Number(event.key) - 1); }
    else if (event.key === 'Escape') { event.preventDefault(); this.stop(); this.sheet.focusLine(); }
    else if (['ArrowDown', 'ArrowUp'].includes(event.key)) {
      event.preventDefault();
      const all = [...this.list.querySelectorAll('.use')], at = all.indexOf(document.activeElement), step = event.key === 'ArrowDown' ? 1 : -1;
      all[(at + step + all.length) % all.length]?.focus();
    }
  }

  /** Put a take, or one line of it, into the song. */
  use(number, only = null) {
    const take = this.takes[number], target = this.target;
    if (!take || !target) return;
    const { song } = this.session, here = ops.find(song, target.given.made ?? target.given.id);
    if (!here) { this.status.replaceChildren(note(t('takes.gone'), 'error')); return; }
    const place = target.sheet.sections[target.target.section].lines;
    this.session.edit('take', draft => {
      const { section, l } = ops.find(draft, here.line.id);
      let last = here.line.id;
      take.lines.forEach((text, index) => {
        if (only !== null && index !== only) return;
        let id = target.ids[index];
        if (target.ids.length > 1 && place[index]?.locked) return;
        if (!id || !ops.find(draft, id)) {
          const line = ops.newLine(text);
          if (target.given.scope === 'next') { section.lines.splice(l + 1, 0, line); target.given.made = line.id; }
          else section.lines.splice(Math.min(index, section.lines.length), 0, line);
          target.ids[index] = id = line.id;
        }
        ops.find(draft, id).line.text = text;
        last = id;
      });
      return { id: last, offset: ops.find(draft, last).line.text.length };
    });
    this.used = number;
    this.draw();
    announce(t('takes.used', { n: number + 1 }));
  }
}

function fill(select, options) {
  const value = select.value, key = JSON.stringify(options);
  if (select.dataset.key === key) return;
  select.dataset.key = key;
  select.replaceChildren(...options.map(([id, text]) => h('option', { value: id }, text)));
  select.value = options.some(([id]) => id === value) ? value : '';
}

customElements.define('song-takes', SongTakes);
