// Versions of a song with their times: compare two, or one with the song as it is, and restore one.

import { announce, empty, h } from './dom.js';
import { diff, toText } from './song.js';
import * as store from './store.js';
import { locale, t } from './texts.js';

const when = time => new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' }).format(time);

class SongVersions extends HTMLElement {
  connect(session) {
    this.session = session;
    const pick = label => h('select', { 'aria-label': label, onchange: () => this.compare() });
    this.replaceChildren(
      h('div', { class: 'go' }, h('button', { type: 'button', class: 'primary', onclick: () => this.keep() }, t('versions.save'), h('kbd', {}, t('key.version')))),
      this.body = h('div', { class: 'versions' },
        h('div', { class: 'pair' }, h('label', { class: 'field' }, t('versions.before'), this.before = pick(t('versions.before'))), h('label', { class: 'field' }, t('versions.after'), this.after = pick(t('versions.after')))),
        this.changes = h('div', { class: 'diff', tabIndex: 0, role: 'region', 'aria-label': t('versions.changes') }),
        this.restore = h('button', { type: 'button', onclick: () => this.bringBack() }, t('versions.restore'))),
      this.none = h('div', {}, empty(t('versions.none'), t('versions.noneHow'))));
    store.events.addEventListener('version', this.onVersion = () => this.load());
    session.addEventListener('change', () => { if (this.checkVisibility() && this.after.value === '') this.compare(); });
    this.load();
  }

  disconnectedCallback() { store.events.removeEventListener('version', this.onVersion); }

  async keep() {
    announce(t(await this.session.keep('saved') ? 'versions.saved' : 'versions.same'));
  }

  async load() {
    this.all = await store.versions(this.session.song.id);
    this.body.hidden = !this.all.length;
    this.none.hidden = Boolean(this.all.length);
    const name = version => `${when(version.time)} (${t(`versions.why.${version.why}`)})`;
    this.before.replaceChildren(...this.all.map(version => h('option', { value: version.key }, name(version))));
    this.after.replaceChildren(h('option', { value: '' }, t('versions.now')), ...this.all.map(version => h('option', { value: version.key }, name(version))));
    this.compare();
  }

  state(select) { return this.all.find(version => version.key === select.value)?.state ?? this.session.song; }

  compare() {
    if (!this.all?.length) return;
    const text = song => toText(song).trimEnd().split('\n');
    const rows = diff(text(this.state(this.before)), text(this.state(this.after)));
    const changed = rows.some(([kind]) => kind !== 'same');
    this.changes.replaceChildren(...(changed ? rows.map(([kind, line]) =>
      h(kind === 'old' ? 'del' : kind === 'new' ? 'ins' : 'p', { dir: 'auto' }, line || '\u00a0')) : [h('p', { class: 'hint' }, t('versions.equal'))]));
  }

  bringBack() {
    const { state } = this.all.find(version => version.key === this.before.value);
    this.session.keep('replaced');
    const caret = { id: state.sections[0].lines[0].id, offset: 0 };
    this.session.replace({ ...structuredClone(state), id: this.session.song.id }, 'restore', caret);
    announce(t('versions.restored'));
  }
}

customElements.define('song-versions', SongVersions);
