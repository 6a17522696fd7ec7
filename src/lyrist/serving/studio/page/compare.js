// The page Compare: the served runs by task, in tables that are sorted and filtered, and one run closely.

import { bdi, empty, h, note, visible } from './dom.js';
import { get } from './api.js';
import { t } from './texts.js';

const SVG = 'http://www.w3.org/2000/svg';
const FIGURES = { write: ['bits_per_byte', 'perplexity'], classify: ['accuracy', 'macro_f1', 'loss'], picture: ['accuracy', 'macro_f1', 'loss'] };
const number = (value, digits = 3) => (Number.isFinite(value) ? new Intl.NumberFormat('en', { maximumFractionDigits: digits, minimumFractionDigits: digits }).format(value) : '');
const whole = value => (Number.isFinite(value) ? new Intl.NumberFormat('en', { maximumFractionDigits: 0 }).format(value) : '');
const value = figure => (typeof figure === 'number' ? figure : figure?.value);

export async function page(main, wanted) {
  main.replaceChildren(h('div', { class: 'page' }, h('h1', {}, t('nav.compare')), note(t('loading'), 'busy')));
  const [{ data }, pages] = await Promise.all([get('/v1/comparisons'), get('/studio/pages')]);
  const filter = h('input', { type: 'search', placeholder: t('compare.filterHint'), oninput: () => tables.forEach(table => table.filter(filter.value)) });
  const groups = data.filter(group => group.runs.length || group.notes.length);
  const tables = groups.map(group => new RunTable(group));
  const closely = h('section', { class: 'closely', 'aria-live': 'polite' });
  const names = groups.flatMap(group => group.runs.map(run => run.model));
  const run = h('select', { onchange: () => look(run.value) }, names.map(name => h('option', { value: name }, visible(name))));
  function look(name) {
    const { page: address, report } = pages.runs.find(each => each.model === name) ?? {};
    closely.replaceChildren(...[
      address && frame(address, t('compare.pageOf', { name: visible(name) })), report && [h('h3', {}, t('compare.report')), frame(report, t('compare.report'))]].flat(2).filter(Boolean));
  }
  main.replaceChildren(h('div', { class: 'page' }, h('h1', {}, t('nav.compare')), h('p', { class: 'lede' }, t('compare.lede')),
    groups.length ? [h('label', { class: 'field narrow' }, t('compare.filter'), filter), tables.map(table => table.element),
      h('h2', {}, t('compare.closely')), h('label', { class: 'field narrow' }, t('compare.run'), run), closely] : empty(t('compare.none'), t('compare.noneHow'))));
  if (names.length) { run.value = names.includes(wanted) ? wanted : names[0]; look(run.value); }
}

const frame = (address, title) => [h('p', { class: 'hint' }, h('a', { href: address, target: '_blank', rel: 'noopener' }, t('compare.alone'))), h('iframe', { src: address, sandbox: '', title, loading: 'lazy' })];

class RunTable {
  constructor({ task, runs, pairs, notes }) {
    const [main, ...more] = FIGURES[task];
    const columns = [
      ['run', each => each.model], ['recipe', each => each.recipe],
      [task === 'write' ? 'conditions' : 'target', each => task === 'write' ? each.conditions.join(', ') || t('compare.nothing') : each.target ?? ''],
      ['parameters', each => each.parameters, whole], ['seconds', each => each.seconds, each => number(each, 1)],
      [main, each => value(each.test[main]), number], ['interval', each => each.test[main]?.low, null], ['n', each => each.test.n, whole],
      ...more.map(name => [name, each => value(each.test[name]), name === 'perplexity' ? each => number(each, 1) : number]),
    ];
    this.columns = columns;
    this.lower = task === 'write';
    const figures = runs.map(each => each.test[main]).filter(Boolean);
    this.range = [Math.min(...figures.map(each => each.low ?? each.value)), Math.max(...figures.map(each => each.high ?? each.value))];
    this.rows = runs.map(each => ({ run: each, cells: columns.map(([, of]) => of(each)), element: this.row(each, columns, main) }));
    this.body = h('tbody', {});
    this.heads = columns.map(([name], at) => h('th', { scope: 'col' }, h('button', { type: 'button', class: 'sort', onclick: () => this.sort(at) }, t(`compare.column.${name}`))));
    this.element = h('section', {}, h('h2', {}, t(`compare.task.${task}`)),
      h('div', { class: 'scroll', tabIndex: 0, role: 'region', 'aria-label': t(`compare.task.${task}`) }, h('table', { class: 'runs' }, h('thead', {}, h('tr', {}, this.heads)), this.body)),
      pairs.length || notes.length ? h('ul', { class: 'notes' }, [...pairs, ...notes].map(each => h('li', {}, visible(each)))) : '');
    this.query = '';
    this.at = columns.findIndex(([name]) => name === main);
    this.down = !this.lower;
    this.draw();
  }

  row(each, columns, main) {
    return h('tr', {}, columns.map(([name, of, shown]) => {
      if (name === 'interval') return h('td', {}, this.interval(each.test[main]));
      return shown ? h('td', { class: 'number' }, shown(of(each))) : h('td', {}, bdi(of(each)));
    }));
  }

  /** Return a figure with its 95% interval as a picture; the numbers appear on hovering. */
  interval(figure) {
    if (!figure || figure.low == null) return '';
    const [low, high] = this.range, x = at => 4 + 112 * (high > low ? (at - low) / (high - low) : 0.5);
    const make = (tag, attributes, ...children) => {
      const element = document.createElementNS(SVG, tag);
      for (const [key, of] of Object.entries(attributes)) element.setAttribute(key, of);
      element.append(...children);
      return element;
    };
    const text = t('compare.interval', { value: number(figure.value), low: number(figure.low), high: number(figure.high) });
    return make('svg', { viewBox: '0 0 120 14', class: 'interval', role: 'img', 'aria-label': text }, make('title', {}, text),
      make('line', { x1: x(figure.low), x2: x(figure.high), y1: 7, y2: 7 }), make('circle', { cx: x(figure.value), cy: 7, r: 3.6 }));
  }

  sort(at) {
    this.down = this.at === at ? !this.down : false;
    this.at = at;
    this.draw();
  }

  filter(query) {
    this.query = query.trim().toLowerCase();
    this.draw();
  }

  draw() {
    const order = (a, b) => {
      const [x, y] = [a.cells[this.at], b.cells[this.at]];
      if (x == null || y == null) return (x == null) - (y == null);
      return (typeof x === 'number' ? x - y : String(x).localeCompare(String(y))) * (this.down ? -1 : 1);
    };
    const kept = this.rows.filter(({ cells }) => cells.some(cell => String(cell ?? '').toLowerCase().includes(this.query)));
    this.body.replaceChildren(...kept.sort(order).map(({ element }) => element));
    this.heads.forEach((head, at) => (at === this.at ? head.setAttribute('aria-sort', this.down ? 'descending' : 'ascending') : head.removeAttribute('aria-sort')));
  }
}
