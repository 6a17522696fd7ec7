// The page Models: what is served, with the state of the server.

import { bdi, h, visible } from './dom.js';
import { get, models } from './api.js';
import { t } from './texts.js';

const EVERY = 3000; // milliseconds between two looks at the server

export async function page(main) {
  const facts = h('dl', { class: 'facts' }), cards = h('div', { class: 'cards' });
  main.replaceChildren(h('div', { class: 'page' }, h('h1', {}, t('nav.models')), facts, cards));
  const fact = (name, value) => h('div', {}, h('dt', {}, t(`models.${name}`)), h('dd', {}, value));
  let timer, gone = false;
  async function look() {
    const [health, all] = await Promise.all([get('/healthz'), models(true)]);
    if (gone) return;
    facts.replaceChildren(fact('models', all.length), fact('inside', t('models.of', { n: health.inside, most: health.queue })),
      fact('memory', t('models.mb', { n: Math.round(health.memory_bytes / 2 ** 20).toLocaleString('en') })), fact('projects', t(health.projects ? 'yes' : 'no')));
    cards.replaceChildren(...all.map(card));
    timer = setTimeout(() => look().catch(() => {}), EVERY);
  }
  await look();
  return () => { gone = true; clearTimeout(timer); };
}

function card(model) {
  const rows = [
    ['recipe', visible(model.recipe)], ['language', model.language && t(`language.${model.language}`, {}, model.language)], ['parameters', model.parameters?.toLocaleString('en')],
    ['seconds', model.seconds && Math.round(model.seconds).toLocaleString('en')], ['corpus', t(model.corpus ? 'models.available' : 'models.missing')],
    ...Object.entries(model.conditions ?? {}).map(([name, values]) => ['conditions', list(values), visible(name)]), ['labels', model.labels?.length ? list(model.labels) : null],
  ].filter(([, value]) => value != null && value !== '');
  const page = { write: 'write', classify: 'classify', picture: 'classify' }[model.task];
  return h('article', { class: 'card' }, h('h2', {}, bdi(model.id)), h('p', { class: 'hint' }, t(`models.task.${model.task}`)), model.changed ? h('p', { class: 'say error' }, t('models.changed')) : '',
    h('dl', {}, rows.map(([name, value, of]) => h('div', {}, h('dt', {}, t(`models.${name}`, { name: of })), h('dd', {}, value)))),
    h('p', {}, h('a', { href: `#/compare/${encodeURIComponent(model.id)}` }, t('models.results')), ' · ', h('a', { href: `#/${page}` }, t(`nav.${page}`))));
}

const list = values => values.slice(0, 6).map(value => visible(value)).join(', ') + (values.length > 6 ? t('models.more', { n: values.length - 6 }) : '');
