// The page Write: the sheet, and beside it takes, words, plan and versions.

import './plan.js';
import './sheet.js';
import './takes.js';
import './versions.js';
import './words.js';
import { announce, copy, dialog, download, h, icon, menu, note, stored, visible } from './dom.js';
import { file } from './api.js';
import { Session } from './session.js';
import * as ops from './song.js';
import * as store from './store.js';
import { locale, t } from './texts.js';

const PANELS = ['takes', 'words', 'plan', 'versions'];
const KEYS = { KeyT: 'takes', KeyR: 'words', KeyP: 'plan', KeyV: 'versions' };
const SAVED = 'lyrist-last';
const LARGEST = 16 * 2 ** 20; // bytes of a file that is read
const slug = title => title.replace(/[^\p{L}\p{N} _-]/gu, '').trim().slice(0, 60) || t('song.untitled');

/** Build the page for a song, by its id; without one the last song, or a new one. */
export async function page(main, id) {
  const known = await store.songs();
  let song = id && known.find(each => each.id === id);
  if (!song && (!id || id === stored.get(SAVED))) song = known.find(each => each.id === stored.get(SAVED)) ?? known[0] ?? ops.newSong();
  if (!song) {
    main.replaceChildren(h('div', { class: 'page' }, note(t('song.missing'), 'error'), h('p', {}, h('a', { href: '#/write' }, t('song.last')))));
    return () => {};
  }
  const view = new Write(main, song);
  return () => view.close();
}

class Write {
  constructor(main, song) {
    this.session = new Session(song);
    this.stop = new AbortController();
    stored.set(SAVED, song.id);
    history.replaceState(null, '', `#/write/${song.id}`);
    this.build(main);
    const on = (target, name, act) => target.addEventListener(name, act, { signal: this.stop.signal });
    on(document, 'keydown', event => this.onKey(event));
    on(this.session, 'change', () => this.show());
    on(this.session, 'saved', () => this.showSaved());
    on(store.events, 'sent', () => this.showSaved());
    on(this.session, 'analysis', () => this.showSource());
    on(this.sheet, 'takes', event => { this.session.move({ id: event.detail.id, offset: 0, ids: [] }); this.takes(event.detail.scope); });
    store.onChangedElsewhere(({ id, updated }) => this.onChangedElsewhere(id, updated));
    this.wide = [matchMedia('(min-width: 1700px)'), matchMedia('(min-width: 2200px)')];
    for (const query of this.wide) on(query, 'change', () => this.arrange());
    this.arrange();
    this.show();
    this.showSaved();
    this.session.analyseSoon();
    if (matchMedia('(hover: hover)').matches) this.sheet.focusLine();
  }

  close() {
    this.stop.abort();
    this.session.close();
    this.closed = true;
  }

  build(main) {
    const { session } = this;
    this.title = h('input', { class: 'title', 'aria-label': t('song.title'), placeholder: t('song.untitled'), maxlength: 200, spellcheck: 'true', oninput: () => session.set({ title: this.title.value }), onkeydown: event => { if (['Enter', 'ArrowDown'].includes(event.key)) { event.preventDefault(); this.sheet.place({ id: session.song.sections[0].lines[0].id }); } } });
    this.sheet = h('song-sheet', { 'aria-label': t('sheet.label'), role: 'group' });
    this.parts = { takes: h('song-takes'), words: h('song-words'), plan: h('song-plan'), versions: h('song-versions') };
    const button = (name, label, act) => h('button', { type: 'button', class: 'quiet', 'aria-label': label, title: label, onclick: act }, icon(name));
    this.undo = button('undo', t('write.undo'), () => session.undo());
    this.redo = button('redo', t('write.redo'), () => session.redo());
    this.saved = h('span', { class: 'saved' });
    const bar = h('div', { class: 'bar' },
      menu(t('write.songs'), [icon('songs'), h('span', {}, t('write.songs'))], () => this.songActions()), this.saved, h('span', { class: 'spring' }), this.undo, this.redo,
      menu(t('write.export'), [icon('share'), h('span', {}, t('write.export'))], () => this.exports()));
    this.picker = h('input', { type: 'file', accept: '.txt,.md,.cho,.chordpro,.pro,.docx,.json,text/plain', hidden: true, onchange: () => this.importFile() });
    this.source = h('p', { class: 'hint source-note' });
    const centre = h('div', { class: 'centre' }, bar, h('article', { class: 'paper' }, this.title, this.sheet), this.source, this.picker);
    this.tabs = h('div', { class: 'tabs', role: 'tablist', 'aria-label': t('write.panels') }, PANELS.map(name =>
      h('button', { type: 'button', role: 'tab', id: `tab-${name}`, 'aria-controls': `panel-${name}`, onclick: () => this.press(name), onkeydown: event => this.onTabKey(event) }, t(`panel.${name}`))));
    this.side = h('aside', { class: 'side', 'aria-label': t('write.panels') }, this.tabs);
    this.left = h('aside', { class: 'side left', 'aria-label': t('panel.plan') });
    this.right = h('aside', { class: 'side far', 'aria-label': t('panel.words') });
    for (const [name, part] of Object.entries(this.parts)) { part.id = `panel-${name}`; part.classList.add('panel'); }
    main.replaceChildren(this.view = h('div', { class: 'write' }, h('h1', { class: 'unseen' }, t('nav.write')), this.left, centre, this.side, this.right));
    this.sheet.connect(session);
    this.side.append(...Object.values(this.parts));
    for (const part of Object.values(this.parts)) part.connect(session, this.sheet);
  }

  /** Put the panels into one, two or three columns by the width of the window. */
  arrange() {
    const [two, three] = this.wide.map(query => query.matches);
    const own = { plan: two && this.left, words: three && this.right };
    this.free = PANELS.filter(name => !own[name]);
    for (const name of PANELS) {
      const part = this.parts[name], tab = this.tabs.querySelector(`#tab-${name}`), place = own[name] || this.side;
      if (part.parentElement !== place) place.replaceChildren(...(own[name] ? [h('h2', {}, t(`panel.${name}`))] : place.children), part);
      tab.hidden = Boolean(own[name]);
      part.setAttribute('role', own[name] ? 'region' : 'tabpanel');
      part.setAttribute('aria-labelledby', `tab-${name}`);
      if (own[name]) part.hidden = false;
    }
    this.left.hidden = !two;
    this.right.hidden = !three;
    this.open(this.free.includes(this.shown) ? this.shown : 'takes', { quietly: true });
  }

  /** Show a panel. */
  open(name, { quietly = false, follow = true } = {}) {
    if (!quietly) {
      this.side.classList.add('raised');
      this.sheet.querySelector('.line.current')?.scrollIntoView({ block: 'nearest' });
    }
    if (!this.free.includes(name)) return;
    this.shown = name;
    for (const each of this.free) {
      const on = each === name;
      this.parts[each].hidden = !on;
      const tab = this.tabs.querySelector(`#tab-${each}`);
      tab.setAttribute('aria-selected', String(on));
      tab.tabIndex = on ? 0 : -1;
    }
    this.parts[name].show?.();
    if (name === 'words' && follow) this.parts.words.follow();
    if (name === 'versions') this.parts.versions.compare();
  }

  /** On a phone, pressing the open tab again closes the panel. */
  press(name) {
    if (this.shown === name && this.side.classList.contains('raised')) this.side.classList.remove('raised');
    else this.open(name);
  }

  onTabKey(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = this.free[(this.free.indexOf(this.shown) + step + this.free.length) % this.free.length];
    this.open(next);
    this.tabs.querySelector(`#tab-${next}`).focus();
  }

  onKey(event) {
    const command = event.ctrlKey || event.metaKey, { session } = this;
    const act = doIt => { event.preventDefault(); doIt(); };
    if (event.defaultPrevented || document.querySelector('dialog[open]')) return;
    if (command && event.code === 'KeyZ' && !event.target.matches('song-words input')) act(() => (event.shiftKey ? session.redo() : session.undo()));
    else if (command && event.code === 'KeyY') act(() => session.redo());
    else if (command && event.code === 'KeyS') act(() => this.parts.versions.keep());
    else if (command && event.key === 'Enter') act(() => this.takes());
    else if (event.altKey && !command && /^Digit[1-9]$/.test(event.code)) act(() => this.parts.takes.use(Number(event.code.slice(5)) - 1));
    else if (event.altKey && !command && KEYS[event.code]) act(() => this.enter(KEYS[event.code]));
  }

  takes(scope) {
    this.open('takes');
    this.parts.takes.request({ scope });
  }

  /** Open a panel by keyboard and focus its first control. */
  enter(name) {
    this.open(name, { follow: false });
    if (name === 'words') this.parts.words.start();
    else this.parts[name].querySelector('select:not([hidden]), input, button')?.focus();
  }

  // What is shown.

  show() {
    const { session } = this, { song } = session;
    if (this.title.value !== song.title) this.title.value = song.title;
    document.title = `${visible(song.title) || t('song.untitled')} · Lyrist`;
    this.undo.disabled = !session.canUndo;
    this.redo.disabled = !session.canRedo;
  }

  async showSaved() {
    const time = new Intl.DateTimeFormat(locale, { timeStyle: 'short' }).format(this.session.song.updated);
    const here = !this.session.failed && await store.persistent(), server = await store.onServer(), unsent = store.unsent(this.session.song.id);
    const problem = unsent && unsent !== 'pending' ? unsent : '';
    const where = here ? (problem ? 'notOnServer' : server && !unsent ? 'savedServer' : 'saved') : server && !unsent ? 'onlyServer' : 'notSaved';
    this.saved.textContent = t(`write.${where}`, { time });
    this.saved.classList.toggle('problem', problem !== '' || where === 'notSaved');
    this.unsent = problem;
    this.showSource();
  }

  showSource() {
    const { problem, source, language } = this.session;
    this.source.textContent = [...new Set([this.unsent, problem])].filter(Boolean).join(' ') || (source ? t('write.source', { source, language: language ? t(`language.${language}`, {}, language) : '' }) : '');
  }

  async onChangedElsewhere(id, updated) {
    const { session } = this;
    if (this.closed || id !== session.song.id || updated <= session.song.updated) return;
    const song = await store.load(id);
    if (!song) return;
    session.adopt(song);
  }

  // Songs, import and export.

  songActions() {
    return [
      [t('write.new'), () => this.go(ops.newSong())],
      [t('write.all'), () => this.browse()],
      [t('write.duplicate'), () => this.go({ ...structuredClone(this.session.song), id: ops.uid(), title: t('song.copyOf', { title: this.session.song.title || t('song.untitled') }), created: Date.now(), updated: Date.now() })],
      [t('write.import'), () => this.picker.click()],
      [t('write.link'), () => copy(location.href).then(() => announce(t('write.copied')))],
      [t('write.delete'), () => this.erase()],
    ];
  }

  async go(song) {
    await store.save(song);
    location.hash = `#/write/${song.id}`;
  }

  async browse() {
    const all = await store.songs();
    const list = h('ul', { class: 'song-list' });
    const draw = query => list.replaceChildren(...all.filter(song => ops.toText(song).toLowerCase().includes(query.toLowerCase())).map(song => h('li', {},
      h('a', { href: `#/write/${song.id}`, onclick: () => box.close() }, h('strong', { dir: 'auto' }, visible(song.title) || t('song.untitled')),
        h('span', {}, visible(ops.lines(song).find(line => line.text.trim())?.text ?? t('song.empty'))), h('time', {}, new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' }).format(song.updated))))));
    const box = dialog(t('write.all'), t('close'), h('label', { class: 'field' }, t('write.search'), h('input', { type: 'search', oninput: event => draw(event.target.value) })), list);
    draw('');
  }

  erase() {
    const { song } = this.session;
    const box = dialog(t('write.delete'), t('close'), h('p', {}, t('write.deleteAsk', { title: visible(song.title) || t('song.untitled') })),
      h('div', { class: 'go' }, h('button', { type: 'button', class: 'danger', onclick: async () => {
        box.close();
        this.close();
        await store.erase(song.id);
        location.hash = '#/write';
      } }, t('write.deleteYes')), h('button', { type: 'button', onclick: () => box.close() }, t('cancel'))));
  }

  async importFile() {
    const [given] = this.picker.files;
    this.picker.value = '';
    let song;
    try {
      if (given.size > LARGEST) throw new Error('size');
      const text = /\.docx$/i.test(given.name) ? await (await import('./docx.js')).textOf(given) : await given.text();
      if (text.includes('\0')) throw new Error('binary');
      if (/^\s*\{\s*"/.test(text)) song = ops.fromJSON(text);
      else {
        const { title, sections } = ops.parse(text);
        song = ops.newSong(title || given.name.replace(/\.\w+$/, ''), sections.length ? sections : undefined);
      }
    } catch {
      dialog(t('write.import'), t('close'), note(t('write.importFailed', { name: given.name }), 'error'));
      return;
    }
    const large = ops.tooLarge(song.sections);
    if (large) dialog(t('write.import'), t('close'), note(t('write.tooLarge', large), 'error'));
    else await this.go(song);
  }

  exports() {
    const { song } = this.session, name = slug(song.title);
    return [
      [t('export.copy'), () => copy(ops.toText(song)).then(() => announce(t('write.copied')))],
      [t('export.txt'), () => download(`${name}.txt`, ops.toText(song))],
      [t('export.md'), () => download(`${name}.md`, ops.toMarkdown(song), 'text/markdown;charset=utf-8')],
      [t('export.cho'), () => download(`${name}.cho`, ops.toChordPro(song))],
      [t('export.docx'), () => this.word(name)],
      [t('export.json'), () => download(`${name}.json`, ops.toJSON(song), 'application/json')],
      [t('export.print'), () => print()],
    ];
  }

  async word(name) {
    const { title, sections } = this.session.song;
    const body = { title, format: 'docx', sections: sections.map(section => ({ name: section.name, lines: section.lines.map(line => line.text).filter(text => text.trim()) })).filter(section => section.lines.length) };
    try {
      download(`${name}.docx`, await file('/v1/export', body));
    } catch (error) {
      dialog(t('write.export'), t('close'), note(error.message, 'error'));
    }
  }
}
