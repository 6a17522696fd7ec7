// The sheet: every line is an editing host of its own, so that marks beside and in it never disturb the caret.
// Copied runs and rhyming ends are painted with the CSS Custom Highlight API, which leaves the text untouched.

import { announce, dialog, h, icon, menu, note, visible } from './dom.js';
import * as ops from './song.js';
import { t } from './texts.js';

const COLOURS = 8;
const colour = letter => ((letter.toUpperCase().charCodeAt(0) - 65) % COLOURS + COLOURS) % COLOURS + 1;
const clean = text => text.replace(/[\r\n]+/g, ' ').replaceAll('\u00a0', ' ');

/** Return the caret in an element as an offset of its text; the end of a selection if there is one. */
export function caretIn(element) {
  const selection = getSelection();
  if (!selection.rangeCount || !element.contains(selection.focusNode)) return { start: 0, end: 0 };
  const range = selection.getRangeAt(0), before = document.createRange();
  before.selectNodeContents(element);
  before.setEnd(range.startContainer, range.startOffset);
  const start = before.toString().length;
  return { start, end: start + range.toString().length };
}

function setCaret(element, offset) {
  element.focus({ preventScroll: true });
  const node = element.firstChild, range = document.createRange();
  if (node) range.setStart(node, Math.min(offset, node.length ?? 0));
  else range.selectNodeContents(element);
  range.collapse(true);
  getSelection().removeAllRanges();
  getSelection().addRange(range);
  element.closest('.line').scrollIntoView({ block: 'nearest' });
}

class SongSheet extends HTMLElement {
  connect(session) {
    this.session = session;
    this.rows = new Map(); // line id -> element
    this.parts = new Map(); // section id -> element
    this.ranges = new Map(); // line id -> painted ranges with their highlights
    session.addEventListener('change', ({ detail: { caret, typed } }) => {
      if (typed) { this.drawTyped(typed); return; } // the caret is where the browser has put it
      this.render();
      if (caret?.id) this.place(caret);
    });
    session.addEventListener('analysis', () => this.paint());
    session.addEventListener('cursor', () => this.showCursor());
    this.addEventListener('keydown', event => this.onKey(event));
    this.addEventListener('beforeinput', event => this.onBeforeInput(event));
    this.addEventListener('input', event => this.onInput(event));
    this.addEventListener('paste', event => this.onPaste(event));
    this.addEventListener('copy', event => this.onCopy(event));
    this.addEventListener('cut', event => { if (this.onCopy(event)) this.remove_(); });
    this.addEventListener('pointerdown', event => this.onPointer(event));
    this.addEventListener('focusin', event => { if (event.target.matches('.text')) this.followCaret(); });
    document.addEventListener('selectionchange', this.onSelection = () => this.followCaret());
    this.render();
  }

  disconnectedCallback() {
    document.removeEventListener('selectionchange', this.onSelection);
    for (const name of CSS.highlights?.keys() ?? []) CSS.highlights.delete(name);
  }

  // Drawing.

  render() {
    const { song } = this.session;
    const wanted = song.sections.map((section, s) => this.part(section, s));
    keep(this, [...wanted, this.adder ??= h('button', { type: 'button', class: 'add', onclick: () => this.addSection() }, icon('plus'), t('sheet.addSection'))]);
    const ids = new Set(ops.lines(song).map(line => line.id));
    for (const id of this.rows.keys()) if (!ids.has(id)) this.rows.delete(id);
    const sections = new Set(song.sections.map(section => section.id));
    for (const id of this.parts.keys()) if (!sections.has(id)) this.parts.delete(id);
    this.paint();
    this.showCursor();
  }

  part(section, s) {
    let part = this.parts.get(section.id);
    if (!part) {
      const id = section.id;
      const name = h('input', {
        class: 'name', 'aria-label': t('sheet.sectionName'), maxlength: 80, spellcheck: 'false', placeholder: t('sheet.unnamed'),
        oninput: () => this.session.edit(`set name ${id}`, song => { song.sections.find(each => each.id === id).name = name.value; }),
      });
      const grip = h('button', { type: 'button', class: 'grip', 'data-section': id }, icon('grip'));
      const actions = menu(t('sheet.sectionMenu'), icon('more'), () => this.sectionActions(id), 'quiet');
      part = h('section', { class: 'part', 'data-id': id }, h('header', {}, grip, name, h('span', { class: 'planned' }), actions), h('ol', { class: 'lines' }));
      this.parts.set(id, part);
    }
    const name = part.querySelector('.name');
    if (name.value !== section.name) name.value = section.name;
    part.setAttribute('aria-label', visible(section.name) || t('sheet.unnamed'));
    part.querySelector('.grip').setAttribute('aria-label', t('sheet.moveSection', { name: visible(section.name) }));
    const { rhyme, syllables } = section;
    const seconds = ops.secondsOfLine(this.session.song, section);
    part.querySelector('.planned').textContent = [rhyme, syllables && t('sheet.plannedSyllables', { n: [syllables].flat().join('–') }), section.metre && t(`metre.${section.metre}`), seconds && ops.clock(seconds * section.lines.length)].filter(Boolean).join(' · ');
    keep(part.querySelector('.lines'), section.lines.map((line, l) => this.row(section, line, l)));
    return part;
  }

  row(section, line, l) {
    let row = this.rows.get(line.id);
    if (!row) {
      const id = line.id;
      const text = h('div', { class: 'text', contenteditable: 'plaintext-only', role: 'textbox', 'aria-multiline': 'false', spellcheck: 'true', dir: 'auto', 'aria-describedby': `about-${id}` });
      row = h('li', { class: 'line', 'data-id': id },
        h('button', { type: 'button', class: 'grip', tabIndex: -1, 'data-line': id, 'aria-label': t('sheet.moveLine') }, icon('grip')),
        text,
        h('span', { class: 'marks', 'aria-hidden': 'true' }, h('span', { class: 'stress' }), h('span', { class: 'count' }), h('span', { class: 'letter' })),
        h('span', { class: 'unseen', id: `about-${id}` }),
        h('button', { type: 'button', class: 'lock', onclick: () => this.toggleLock([id]) }),
        h('p', { class: 'source', hidden: true }));
      row.parts = Object.fromEntries(['text', 'count', 'letter', 'stress', 'source', 'unseen', 'lock'].map(name => [name, row.querySelector(`.${name}`)]));
      this.rows.set(id, row);
    }
    const { text, lock } = row.parts;
    if (clean(text.textContent) !== line.text) text.textContent = line.text;
    const label = t('sheet.line', { section: visible(section.name) || t('sheet.unnamed'), n: l + 1 });
    if (text.ariaLabel !== label) text.ariaLabel = label;
    row.classList.toggle('locked', line.locked);
    if (lock.ariaPressed !== String(line.locked)) {
      lock.setAttribute('aria-pressed', String(line.locked));
      lock.setAttribute('aria-label', t('sheet.lock'));
      lock.title = t(line.locked ? 'sheet.unlockHint' : 'sheet.lockHint');
      lock.replaceChildren(icon(line.locked ? 'lock' : 'unlock'));
    }
    const only = ops.isEmpty(this.session.song) && this.session.song.sections[0].lines[0].id === line.id;
    text.dataset.hint = only ? t('sheet.firstLine') : '';
    return row;
  }

  drawTyped(id) {
    const { section, line, l } = ops.find(this.session.song, id);
    this.row(section, line, l);
    this.paintLine(section, line, l);
  }

  /** Show syllables, stress, rhyme and copied runs of each line. */
  paint() {
    for (const id of this.ranges.keys()) if (!this.rows.has(id)) this.unpaint(id);
    for (const section of this.session.song.sections) section.lines.forEach((line, l) => this.paintLine(section, line, l));
  }

  paintLine(section, line, l) {
    const row = this.rows.get(line.id), found = this.session.analysis.get(line.id), node = row.parts.text.firstChild;
    const fresh = found?.text === line.text;
    row.classList.toggle('stale', Boolean(found) && !fresh);
    this.paintMarks(row, line.text.trim() ? found : undefined, { ...ops.planned(section, l), metre: ops.METRES[section.metre] ?? '', seconds: ops.secondsOfLine(this.session.song, section) }, line);
    this.unpaint(line.id);
    if (!fresh || !node || !CSS.highlights) return;
    const last = /[\p{L}\p{N}'’]+[^\p{L}\p{N}]*$/u.exec(line.text);
    const marks = (found.copied ?? []).map(run => ['copied', run.start, run.end]);
    if (found.rhyme?.grade && last) marks.push([`rhyme-${colour(found.rhyme.letter)}`, last.index, last.index + last[0].length]);
    this.ranges.set(line.id, marks.filter(([, , end]) => end <= node.length).map(([name, start, end]) => {
      if (!CSS.highlights.has(name)) CSS.highlights.set(name, new Highlight());
      const highlight = CSS.highlights.get(name), range = new StaticRange({ startContainer: node, startOffset: start, endContainer: node, endOffset: end });
      highlight.add(range);
      return [highlight, range];
    }));
  }

  unpaint(id) {
    for (const [highlight, range] of this.ranges.get(id) ?? []) highlight.delete(range);
    this.ranges.delete(id);
  }

  paintMarks(row, found, plan, line) {
    const { count, letter, stress, source, unseen } = row.parts;
    const syllables = found?.syllables ?? null, rhyme = found?.rhyme?.grade ? found.rhyme : null;
    const off = syllables !== null && plan.syllables && Math.abs(syllables - plan.syllables) > 1;
    count.textContent = syllables === null ? (plan.syllables ?? '') : off ? `${syllables}/${plan.syllables}` : syllables;
    count.className = `count${syllables === null ? ' plan' : off ? ' off' : ''}`;
    const rate = syllables && plan.seconds ? t('sheet.rate', { n: (syllables / plan.seconds).toFixed(1) }) : '';
    const counted = syllables === null ? '' : plan.syllables ? t('sheet.syllablesOf', { n: syllables, plan: plan.syllables }) : t('sheet.syllables', { n: syllables });
    count.title = [counted, rate].filter(Boolean).join(', ');
    const wrong = place => plan.metre && plan.metre[place % plan.metre.length] === '0';
    const beats = [...(found?.stress ?? '')].map((each, place) => (each === '0' ? '·' : wrong(place) ? '○' : '●')).join('');
    if (stress.textContent !== beats) stress.textContent = beats;
    stress.title = beats.includes('○') ? t('sheet.stressOff') : '';
    letter.textContent = rhyme?.letter ?? plan.letter;
    letter.className = `letter ${rhyme ? `${rhyme.grade} r${colour(rhyme.letter)}` : plan.letter ? 'plan' : ''}`;
    const copied = found?.copied ?? [];
    const about = [
      counted, rate,
      rhyme ? t(`sheet.rhyme.${rhyme.grade}`, { letter: rhyme.letter }) : '', line.locked ? t('sheet.locked') : '', copied.length ? t('sheet.copied') : '',
    ].filter(Boolean).join(', ');
    if (unseen.textContent !== about) unseen.textContent = about;
    const message = copied.map(run => t('sheet.copiedFrom', { n: run.words, source: name(run.source) })).filter((each, i, all) => all.indexOf(each) === i).join('; ');
    if (source.textContent !== message) source.textContent = message;
    source.hidden = !message;
  }

  // The caret.

  place({ id, offset = 0, ids = [] }) {
    const row = this.rows.get(id);
    if (!row) return;
    this.session.cursor = { id, offset, ids };
    setCaret(row.parts.text, offset);
    this.showCursor();
    this.session.emit('cursor');
  }

  showCursor() {
    const { id, ids } = this.session.cursor;
    const chosen = new Set(ids);
    for (const [each, row] of this.rows) {
      const current = each === id;
      row.classList.toggle('current', current);
      row.classList.toggle('selected', chosen.has(each));
      row.parts.text.tabIndex = row.parts.lock.tabIndex = current ? 0 : -1;
    }
    const section = ops.find(this.session.song, id)?.section.id;
    for (const [each, part] of this.parts) {
      part.classList.toggle('current', each === section);
      for (const control of part.querySelectorAll('header .name, header button')) if (!control.closest('.menu-list')) control.tabIndex = each === section ? 0 : -1;
    }
  }

  followCaret() {
    const text = document.activeElement;
    if (!text?.matches?.('song-sheet .text') || !this.contains(text)) return;
    const id = text.closest('.line').dataset.id, { ids } = this.session.cursor;
    this.session.move({ id, offset: caretIn(text).end, ids: ids.includes(id) ? ids : [] });
  }

  /** Focus the line of the cursor. */
  focusLine() {
    const { id, offset, ids } = this.session.cursor;
    const known = this.rows.has(id) ? { id, offset, ids } : { id: this.session.song.sections[0].lines[0].id };
    this.place(known);
  }

  /** Return the lines that a command is for: the selected ones, or the one of the cursor. */
  get chosen() {
    const { id, ids } = this.session.cursor;
    return ids.length ? ids : [id];
  }

  select(from, to) {
    const all = ops.lines(this.session.song).map(line => line.id), a = all.indexOf(from), b = all.indexOf(to);
    const ids = from === to ? [] : all.slice(Math.min(a, b), Math.max(a, b) + 1);
    this.anchor = from;
    this.place({ id: to, offset: ops.find(this.session.song, to).line.text.length, ids });
  }

  // Keys.

  onKey(event) {
    if (event.isComposing) return;
    const text = event.target.closest('.text'), key = event.key, command = event.ctrlKey || event.metaKey;
    if (event.target.matches('.part .name')) return this.onNameKey(event);
    if (event.target.matches('.grip[data-section]') && ['ArrowUp', 'ArrowDown'].includes(key)) return this.act(event, () => this.moveSection(event.target.dataset.section, key === 'ArrowUp' ? -1 : 1, event.target));
    if (!text) return undefined;
    const row = text.closest('.line'), id = row.dataset.id, { start, end } = caretIn(text), length = text.textContent.length;
    const { ids } = this.session.cursor, step = key === 'ArrowUp' ? -1 : 1;
    if (event.altKey && event.shiftKey && /^Arrow(Up|Down)$/.test(key)) return this.act(event, () => this.moveSection(row.closest('.part').dataset.id, step));
    if (event.altKey && /^Arrow(Up|Down)$/.test(key)) return this.act(event, () => this.moveLines(step, start));
    if (event.altKey && event.code === 'KeyL') return this.act(event, () => this.toggleLock(this.chosen));
    if (event.shiftKey && /^Arrow(Up|Down)$/.test(key)) return this.act(event, () => this.extend(step));
    if (command && event.code === 'KeyA' && (start === 0 && end === length || ids.length)) return this.act(event, () => { const all = ops.lines(this.session.song); this.select(all[0].id, all.at(-1).id); });
    if (key === 'Escape' && ids.length) return this.act(event, () => this.session.move({ id, offset: end, ids: [] }));
    if (ids.length && ['Backspace', 'Delete'].includes(key)) return this.act(event, () => this.remove_());
    if (ids.length && key.length === 1 && !command && !event.altKey) return this.act(event, () => this.overtype(key));
    if (key === 'Backspace' && start === 0 && end === 0) return this.act(event, () => this.session.edit('join', song => ops.join(song, id)));
    if (key === 'Delete' && start === length && start === end) return this.act(event, () => this.joinNext(id));
    if (key === 'ArrowUp' || key === 'ArrowDown') return this.vertical(event, text, step);
    if (key === 'ArrowLeft' && end === 0 && !event.shiftKey) return this.act(event, () => this.step(id, -1, Infinity));
    if (key === 'ArrowRight' && start === length && !event.shiftKey) return this.act(event, () => this.step(id, 1, 0));
    return undefined;
  }

  act(event, doIt) {
    event.preventDefault();
    event.stopPropagation();
    doIt();
  }

  onNameKey(event) {
    const part = event.target.closest('.part');
    if (event.altKey && event.shiftKey && /^Arrow(Up|Down)$/.test(event.key)) this.act(event, () => this.moveSection(part.dataset.id, event.key === 'ArrowUp' ? -1 : 1, event.target));
    else if (event.key === 'Enter' || event.key === 'ArrowDown') this.act(event, () => this.place({ id: part.querySelector('.line').dataset.id }));
    else if (event.key === 'ArrowUp') {
      const before = part.previousElementSibling?.querySelectorAll('.line');
      if (before?.length) this.act(event, () => this.place({ id: [...before].at(-1).dataset.id }));
    }
  }

  /** Go to the line above or below where the caret is in the first or last row of its line. */
  vertical(event, text, step) {
    const selection = getSelection(), range = selection.rangeCount ? selection.getRangeAt(0).cloneRange() : null;
    range?.collapse(false);
    const box = range?.getClientRects()[0] ?? text.getBoundingClientRect(), whole = text.getBoundingClientRect();
    const inside = step < 0 ? box.top - whole.top > box.height * 0.8 : whole.bottom - box.bottom > box.height * 0.8;
    if (text.textContent && inside) return;
    this.act(event, () => this.step(text.closest('.line').dataset.id, step, caretIn(text).end));
  }

  step(id, step, offset) {
    const all = ops.lines(this.session.song), at = all.findIndex(line => line.id === id), next = all[at + step];
    const here = ops.find(this.session.song, id);
    if (step < 0 && here.l === 0 && offset !== Infinity) this.parts.get(here.section.id).querySelector('.name').focus();
    else if (next) this.place({ id: next.id, offset: Math.min(offset, next.text.length) });
  }

  extend(step) {
    const { id, ids } = this.session.cursor, all = ops.lines(this.session.song).map(line => line.id);
    const anchor = ids.length ? this.anchor ?? id : id, to = all[all.indexOf(id) + step];
    if (to) this.select(anchor, to);
  }

  onBeforeInput(event) {
    const text = event.target.closest?.('.text');
    if (!text) return;
    if (event.inputType === 'historyUndo' || event.inputType === 'historyRedo') this.act(event, () => (event.inputType === 'historyUndo' ? this.session.undo() : this.session.redo()));
    if (event.inputType !== 'insertParagraph' && event.inputType !== 'insertLineBreak') return;
    const id = text.closest('.line').dataset.id, { start, end } = caretIn(text);
    this.act(event, () => this.session.edit('split', song => {
      const { line } = ops.find(song, id);
      line.text = line.text.slice(0, start) + line.text.slice(end);
      return ops.split(song, id, start);
    }));
  }

  onInput(event) {
    const text = event.target.closest?.('.text');
    if (!text) return;
    if (!text.textContent) text.replaceChildren();
    this.session.type(text.closest('.line').dataset.id, clean(text.textContent), caretIn(text).end);
  }

  onPaste(event) {
    const text = event.target.closest?.('.text');
    if (!text) return;
    const given = event.clipboardData.getData('text/plain'), id = text.closest('.line').dataset.id, { start, end } = caretIn(text);
    const { song } = this.session, large = ops.tooLarge([...song.sections, ...ops.parse(given).sections]);
    if (large) { this.act(event, () => dialog(t('sheet.paste'), t('close'), note(t('write.tooLarge', large), 'error'))); return; }
    this.act(event, () => this.session.edit('paste', song => {
      const { line } = ops.find(song, id);
      if (/[\r\n]/.test(given.trim())) return ops.paste(song, id, start, end, given);
      const one = given.replace(/\s+/g, ' ');
      line.text = line.text.slice(0, start) + one + line.text.slice(end);
      return { id, offset: start + one.length };
    }));
  }

  onCopy(event) {
    const { ids } = this.session.cursor;
    if (!ids.length) return false;
    event.preventDefault();
    event.clipboardData.setData('text/plain', this.session.song.sections.map(section => section.lines.filter(line => ids.includes(line.id)).map(line => line.text).join('\n')).filter(Boolean).join('\n\n'));
    return true;
  }

  remove_() { this.session.edit('remove', song => ops.removeLines(song, this.chosen)); }

  overtype(key) {
    const [first, ...rest] = this.session.cursor.ids;
    this.session.edit('overtype', song => {
      ops.find(song, first).line.text = key;
      if (rest.length) ops.removeLines(song, rest);
      return { id: first, offset: 1 };
    });
  }

  joinNext(id) {
    const all = ops.lines(this.session.song), next = all[all.findIndex(line => line.id === id) + 1];
    if (next) this.session.edit('join', song => ops.join(song, next.id));
  }

  // Commands.

  toggleLock(ids) {
    const locked = !ops.find(this.session.song, ids[0]).line.locked;
    this.session.edit('lock', song => { for (const line of ops.lines(song)) if (ids.includes(line.id)) line.locked = locked; });
    announce(t(locked ? 'sheet.locked' : 'sheet.unlocked'));
  }

  moveLines(step, offset) {
    const ids = this.chosen, focus = this.session.cursor.id;
    this.session.edit('move', song => { ops.moveLines(song, ids, step); return { id: focus, offset, ids: ids.length > 1 ? ids : [] }; });
    announce(t('sheet.moved'));
  }

  moveSection(id, step, control = null) {
    const at = this.session.song.sections.findIndex(section => section.id === id), { cursor } = this.session;
    if (!this.session.song.sections[at + step]) return;
    this.session.edit('move section', song => { ops.moveSectionTo(song, id, at + step); return control ? undefined : { ...cursor }; });
    control?.focus();
    announce(t('sheet.sectionMoved', { n: at + step + 1 }));
  }

  addSection() {
    this.session.edit('section', song => ops.insertSection(song, song.sections.length, ops.freeName(song, 'Verse')));
  }

  sectionActions(id) {
    const { song } = this.session, at = song.sections.findIndex(section => section.id === id), section = song.sections[at];
    const ids = section.lines.map(line => line.id), locked = section.lines.every(line => line.locked);
    return [
      [t('sheet.takesForSection'), () => this.dispatchEvent(new CustomEvent('takes', { detail: { scope: 'section', id: ids[0] }, bubbles: true }))],
      at > 0 && [t('sheet.up'), () => this.moveSection(id, -1)],
      at < song.sections.length - 1 && [t('sheet.down'), () => this.moveSection(id, 1)],
      [t('sheet.duplicate'), () => this.session.edit('section', draft => ops.insertSection(draft, at + 1, section.name, section))],
      [t('sheet.addAfter'), () => this.session.edit('section', draft => ops.insertSection(draft, at + 1, ops.freeName(draft, 'Verse')))],
      [t(locked ? 'sheet.unlockAll' : 'sheet.lockAll'), () => this.session.edit('lock', draft => { for (const line of draft.sections[at].lines) line.locked = !locked; })],
      [t('sheet.removeSection'), () => this.session.edit('remove', draft => ops.removeLines(draft, ids))],
    ];
  }

  // The pointer: drag by the grips; a drag over several lines selects them.

  onPointer(event) {
    const grip = event.target.closest('.grip');
    if (grip) { this.drag(event, grip); return; }
    const row = event.target.closest('.line');
    if (!row || event.button !== 0 || event.target.closest('button')) return;
    if (event.shiftKey) { event.preventDefault(); this.select(this.session.cursor.id, row.dataset.id); return; }
    if (this.session.cursor.ids.length) this.session.move({ ...this.session.cursor, ids: [] });
    if (event.pointerType !== 'mouse') return;
    const from = row.dataset.id;
    const move = moved => {
      const over = document.elementFromPoint(moved.clientX, moved.clientY)?.closest?.('.line');
      if (over && this.contains(over) && (over.dataset.id !== from || this.session.cursor.ids.length)) { moved.preventDefault(); this.select(from, over.dataset.id); }
    };
    const up = () => { removeEventListener('pointermove', move); removeEventListener('pointerup', up); };
    addEventListener('pointermove', move);
    addEventListener('pointerup', up);
  }

  drag(event, grip) {
    event.preventDefault();
    const section = grip.dataset.section, ids = section ? [] : this.chosen.includes(grip.dataset.line) ? this.chosen : [grip.dataset.line];
    const moved = section ? [this.parts.get(section)] : ids.map(id => this.rows.get(id));
    const marker = h('div', { class: 'drop-marker' });
    let target = null;
    const follow = pointer => {
      moved.forEach(each => each.classList.add('dragged'));
      target = section ? this.gapOfSections(pointer.clientY, section) : this.gapOfLines(pointer.clientY, ids);
      if (target) target.parent.insertBefore(marker, target.before);
    };
    const end = pointer => {
      for (const [name, act] of [['pointermove', follow], ['pointerup', end], ['pointercancel', end]]) grip.removeEventListener(name, act);
      marker.remove();
      moved.forEach(each => each.classList.remove('dragged'));
      if (!target || pointer.type === 'pointercancel') { grip.focus(); return; }
      if (section) this.session.edit('move section', song => ops.moveSectionTo(song, section, target.index));
      else this.session.edit('move', song => ops.moveLinesTo(song, ids, target.section, target.index));
    };
    grip.setPointerCapture(event.pointerId);
    grip.addEventListener('pointermove', follow);
    grip.addEventListener('pointerup', end);
    grip.addEventListener('pointercancel', end);
  }

  gapOfSections(y, id) {
    const others = [...this.querySelectorAll('.part')].filter(part => part.dataset.id !== id);
    const index = others.filter(part => middle(part) < y).length;
    return { parent: this, before: others[index] ?? this.adder, index };
  }

  gapOfLines(y, ids) {
    const part = [...this.querySelectorAll('.part')].filter(each => each.getBoundingClientRect().top < y).at(-1) ?? this.querySelector('.part');
    const list = part.querySelector('.lines'), others = [...list.children].filter(row => row.matches('.line') && !ids.includes(row.dataset.id));
    const index = others.filter(row => middle(row) < y).length;
    return { parent: list, before: others[index] ?? null, section: part.dataset.id, index };
  }
}

const middle = element => { const box = element.getBoundingClientRect(); return box.top + box.height / 2; };
const name = source => (typeof source === 'string' ? visible(source) : [source?.title, source?.artist].filter(Boolean).map(visible).join(', ')) || t('sheet.aSong');

/** Make `children` the children of `parent` with as few moves as possible, so that the focus stays. */
function keep(parent, children) {
  const wanted = new Set(children);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  children.forEach((child, place) => { if (parent.children[place] !== child) parent.insertBefore(child, parent.children[place] ?? null); });
}

customElements.define('song-sheet', SongSheet);
