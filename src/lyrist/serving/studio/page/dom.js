// Elements. Text becomes text nodes only: a title or a lyric can never become markup.

const PROPERTIES = new Set(['value', 'checked', 'disabled', 'hidden', 'selected', 'tabIndex', 'htmlFor']);

/** Return an element with attributes, listeners (`onclick`) and children; `null` and `false` are left out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  element.append(...children.flat(Infinity).filter(child => child != null && child !== false));
  for (const [name, value] of Object.entries(attributes)) {
    if (value == null) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (PROPERTIES.has(name)) element[name] = value;
    else if (value !== false) element.setAttribute(name, value === true ? '' : value);
  }
  return element;
}

const PATHS = {
  lock: 'M5 7.5V5.2a3 3 0 0 1 6 0v2.3M3.5 7.5h9v6h-9z',
  unlock: 'M5 7.5V4.8a3 3 0 0 1 5.9-.8M3.5 7.5h9v6h-9z',
  grip: 'M6 3.5v.01M10 3.5v.01M6 8v.01M10 8v.01M6 12.5v.01M10 12.5v.01',
  undo: 'M6 3 3 6l3 3M3 6h6.5a3.5 3.5 0 0 1 0 7H7',
  redo: 'M10 3l3 3-3 3M13 6H6.5a3.5 3.5 0 0 0 0 7H9',
  plus: 'M8 3v10M3 8h10',
  close: 'M4 4l8 8M12 4l-8 8',
  more: 'M3.5 8v.01M8 8v.01M12.5 8v.01',
  light: 'M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6M8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M3 13l1-1M12 4l1-1',
  dark: 'M13 9.5A5.5 5.5 0 0 1 6.5 3a5.5 5.5 0 1 0 6.500 6.500z',
  auto: 'M8 2a6 6 0 1 0 0 12zM8 2a6 6 0 0 1 0 12',
  write: 'M8 1.800l1.500 4.200 4.200 1.500-4.200 1.500L8 13.200 6.500 9 2.300 7.500 6.500 6z',
  help: 'M5.800 6a2.200 2.200 0 1 1 3.200 2c-.7.4-1 .8-1 1.600M8 12.300v.01',
  songs: 'M3 4h10M3 8h10M3 12h6',
  share: 'M8 10V2.500M5 5l3-2.700L11 5M3.500 9v4.500h9V9',
};

/** Return an icon that screen readers skip. */
export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  for (const [key, value] of Object.entries({ viewBox: '0 0 16 16', class: 'icon', 'aria-hidden': 'true' })) svg.setAttribute(key, value);
  path.setAttribute('d', PATHS[name]);
  svg.append(path);
  return svg;
}

// eslint-disable-next-line no-control-regex
const INVISIBLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;

/** Return the text of a stranger with control, direction and invisible characters as `�`. */
export const visible = text => String(text ?? '').replace(INVISIBLE, '\ufffd');

/** Return a stranger's text in an element of its own direction. */
export const bdi = text => h('bdi', {}, visible(text));

/** Return a message: `note`, `busy` or `error`; a screen reader speaks an error at once. */
export const note = (text, kind = 'note') => h('p', { class: `say ${kind}`, role: kind === 'error' ? 'alert' : 'status' }, visible(text));

/** Return what is shown where there is nothing yet. */
export const empty = (title, text, ...more) => h('div', { class: 'empty' }, h('p', { class: 'what' }, title), h('p', {}, text), ...more);

/** Speak a sentence to screen readers. */
export function announce(text) {
  document.querySelector('#live').textContent = text;
}

/** Return a button that opens a menu of actions; arrow keys move, Escape closes. */
export function menu(label, content, actions, className = '') {
  const list = h('div', { class: 'menu-list', role: 'menu', hidden: true });
  const button = h('button', { type: 'button', class: className, 'aria-haspopup': 'menu', 'aria-expanded': 'false', 'aria-label': label, title: label }, content);
  const box = h('div', { class: 'menu' }, button, list);
  const close = () => { list.hidden = true; button.setAttribute('aria-expanded', 'false'); };
  const open = () => {
    list.replaceChildren(...actions().filter(Boolean).map(([name, act]) =>
      h('button', { type: 'button', role: 'menuitem', tabIndex: -1, onclick: () => { close(); button.focus(); act(); } }, name)));
    list.hidden = false;
    button.setAttribute('aria-expanded', 'true');
    list.firstElementChild?.focus();
  };
  button.addEventListener('click', () => (list.hidden ? open() : close()));
  box.addEventListener('keydown', event => {
    const items = [...list.children], at = items.indexOf(document.activeElement);
    if (event.key === 'Escape' && !list.hidden) { close(); button.focus(); event.stopPropagation(); }
    if (list.hidden || !['ArrowDown', 'ArrowUp'].includes(event.key)) return;
    event.preventDefault();
    items[(at + (event.key === 'ArrowDown' ? 1 : -1) + items.length) % items.length].focus();
  });
  box.addEventListener('focusout', event => { if (!box.contains(event.relatedTarget)) close(); });
  return box;
}

/** Show a modal dialog with a title and a close button; it is removed when it closes. */
export function dialog(title, closeLabel, ...content) {
  const box = h('dialog', { class: 'dialog', 'aria-label': title },
    h('header', {}, h('h2', {}, title), h('button', { type: 'button', class: 'quiet', 'aria-label': closeLabel, onclick: () => box.close() }, icon('close'))),
    h('div', { class: 'dialog-body' }, ...content));
  box.addEventListener('close', () => box.remove());
  box.addEventListener('click', event => { if (event.target === box) box.close(); });
  document.body.append(box);
  box.showModal();
  return box;
}

/** Offer a file for download. */
export function download(name, content, type = 'text/plain;charset=utf-8') {
  const blob = content instanceof Blob ? content : new Blob([content], { type });
  const link = h('a', { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Copy a text; pages without a secure context have no clipboard API. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = h('textarea', { value: text, class: 'unseen' });
    document.body.append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
  }
}

/** Values that the browser keeps; where it stores nothing, until the page is closed. */
const unstored = new Map();
export const stored = {
  get(name) { try { return localStorage.getItem(name); } catch { return unstored.get(name) ?? null; } },
  set(name, value) { try { localStorage.setItem(name, value); } catch { unstored.set(name, value); } },
};

/** Return a function that runs `act` once, `ms` after its last call. */
export function debounced(act, ms) {
  let timer;
  return (...given) => { clearTimeout(timer); timer = setTimeout(() => act(...given), ms); };
}
