// The frame of the studio: navigation, light and dark, and the page of the address.

import { dialog, h, icon, note, stored } from './dom.js';
import { SHORTCUTS, t } from './texts.js';

const PAGES = ['write', 'classify', 'compare', 'corpus', 'models'];
const THEMES = ['auto', 'light', 'dark'];
const main = document.querySelector('#main');
let leave = () => {};
let shown = 0;

/** Show the page of the address: #/write/ID, #/classify and so on. */
async function route() {
  const [, name = 'write', id = ''] = location.hash.slice(1).split('/').map(decodeURIComponent);
  const page = PAGES.includes(name) ? name : 'write', turn = ++shown;
  for (const link of document.querySelectorAll('nav a')) {
    if (link.dataset.page === page) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  document.title = `${t(`nav.${page}`)} · Lyrist`;
  leave();
  leave = () => {};
  try {
    const module = await import(`./${page}.js`).catch(() => { throw new Error(t('error.offline')); });
    if (turn !== shown) return;
    leave = await module.page(main, id) ?? (() => {});
  } catch (error) {
    main.replaceChildren(h('div', { class: 'page' }, note(error.message, 'error')));
    throw error;
  }
}

function theme(name) {
  document.documentElement.dataset.theme = name;
  stored.set('lyrist-theme', name);
  const label = t(`theme.${name}`);
  toggle.replaceChildren(icon(name));
  toggle.setAttribute('aria-label', label);
  toggle.title = label;
}

function help() {
  dialog(t('help.title'), t('close'), h('dl', { class: 'shortcuts' }, SHORTCUTS.map(([keys, about]) =>
    h('div', {}, h('dt', {}, keys.split(' / ').flatMap((key, n) => [n ? ' / ' : '', h('kbd', {}, key)])), h('dd', {}, about)))));
}

const toggle = h('button', { type: 'button', class: 'quiet', onclick: () => theme(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % 3]) });
document.querySelector('.top').append(
  h('nav', { 'aria-label': t('nav.label') }, PAGES.map(name => h('a', { href: `#/${name}`, 'data-page': name }, t(`nav.${name}`)))),
  h('button', { type: 'button', class: 'quiet help', 'aria-label': t('help.title'), title: t('help.title'), onclick: help }, icon('help')), toggle);
const skip = document.querySelector('.skip');
skip.textContent = t('nav.skip');
skip.addEventListener('click', event => { event.preventDefault(); main.focus(); });
const kept = stored.get('lyrist-theme');
theme(THEMES.includes(kept) ? kept : 'auto');
addEventListener('hashchange', route);
addEventListener('keydown', event => { if (event.key === 'F1') { event.preventDefault(); help(); } });
route();
