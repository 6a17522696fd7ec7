// The page Classify: paste lyrics or drop files; labels with probabilities, the words that decided, and a labelled table.

import { bdi, download, empty, h, note, visible } from './dom.js';
import { file, models, post } from './api.js';
import { t } from './texts.js';

const SHOWN = 8; // labels with a bar
const SIDE = 1024; // pixels of a picture that is made smaller
const PART = 32; // files of one request
const TABLE = /\.(csv|tsv|jsonl|json)$/i;
const PICTURE = /^image\//;

export async function page(main) {
  const all = (await models()).filter(model => ['classify', 'picture'].includes(model.task));
  if (!all.length) {
    main.replaceChildren(h('div', { class: 'page' }, h('h1', {}, t('nav.classify')), empty(t('classify.none'), t('classify.noneHow'))));
    return;
  }
  new Classify(main, all);
}

class Classify {
  constructor(main, all) {
    this.all = all;
    this.model = h('select', { onchange: () => this.switch() }, all.map(model => h('option', { value: model.id }, visible(model.id))));
    this.text = h('textarea', { rows: 14, placeholder: t('classify.hint'), dir: 'auto', onkeydown: event => { if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) this.run(); } });
    this.artist = h('input', { maxlength: 200, placeholder: t('classify.artistHint') });
    this.picker = h('input', { type: 'file', multiple: true, class: 'unseen', onchange: () => { this.take([...this.picker.files]); this.picker.value = ''; } });
    this.folder = h('input', { type: 'file', webkitdirectory: true, class: 'unseen', onchange: () => { const files = [...this.folder.files]; this.folder.value = ''; if (files.length) this.takeTexts(files.sort((a, b) => a.webkitRelativePath.localeCompare(b.webkitRelativePath))); } });
    this.folderBox = h('label', { class: 'drop small' }, this.folder, t('classify.folder'));
    this.image = h('img', { alt: t('classify.picture'), hidden: true });
    this.dropText = h('span', {});
    this.drop = h('label', { class: 'drop' }, this.picker, this.image, this.dropText);
    this.go = h('button', { type: 'button', class: 'primary', onclick: () => this.run() }, t('classify.go'));
    this.answer = h('section', { class: 'answer', 'aria-label': t('classify.answer'), 'aria-live': 'polite' });
    this.words = h('div', { class: 'stack' }, h('label', { class: 'field' }, t('classify.lyrics'), this.text), this.artistBox = h('label', { class: 'field' }, t('classify.artist'), this.artist), this.go);
    main.replaceChildren(h('div', { class: 'page two' }, h('div', { class: 'stack' }, h('h1', {}, t('nav.classify')), h('label', { class: 'field' }, t('classify.model'), this.model), this.words, this.drop, this.folderBox), this.answer));
    for (const name of ['dragover', 'dragleave', 'drop']) {
      main.firstChild.addEventListener(name, event => {
        event.preventDefault();
        this.drop.classList.toggle('over', name === 'dragover');
        if (name === 'drop') dropped(event.dataTransfer).then(files => this.take(files));
      });
    }
    this.switch();
  }

  get chosen() { return this.all.find(model => model.id === this.model.value); }

  switch() {
    const picture = this.chosen.task === 'picture';
    this.words.hidden = this.folderBox.hidden = picture;
    this.artistBox.hidden = !this.chosen.artist;
    this.image.hidden = true;
    this.picker.accept = picture ? 'image/*' : '.txt,.csv,.tsv,.jsonl,.json,text/plain';
    this.dropText.textContent = t(picture ? 'classify.dropPicture' : 'classify.dropFile');
    this.answer.replaceChildren(empty(t('classify.nothing'), t(picture ? 'classify.nothingPicture' : 'classify.nothingYet')));
  }

  async run() {
    const text = this.text.value;
    if (!text.trim()) { this.say(note(t('classify.noWords'), 'error')); return; }
    await this.asking(async () => {
      const artist = this.chosen.artist && this.artist.value.trim() ? this.artist.value.trim() : undefined;
      const { data: [found] } = await post('/v1/classify', { model: this.model.value, texts: [text], artist, explain: true });
      this.show(found, text);
      if (!this.chosen.artist) this.addSet((await post('/v1/label', { model: this.model.value, texts: [text], coverage: 0.9 })).data[0]);
    });
  }

  async asking(act) {
    this.say(note(t('classify.busy'), 'busy'));
    this.go.disabled = true;
    try { await act(); } catch (error) { this.say(note(error.message, 'error')); }
    this.go.disabled = false;
  }

  say(...content) { this.answer.replaceChildren(...content.flat(Infinity).filter(Boolean)); }

  /** Add the prediction set and the warning of `lyrist label` to the bars. */
  addSet({ prediction_set: set, flags }) {
    const place = this.answer.querySelector('.bars');
    if (set?.length) place?.after(h('p', { class: 'hint' }, t('classify.set', { labels: set.map(visible).join(', ') })));
    if (flags?.length) place?.before(note(t('classify.unlike')));
  }

  /** Show labels with bars, and the text with the words that decided. */
  show(found, text) {
    const words = found.words ?? [];
    this.say(
      h('h2', { class: 'first' }, predicted(found)), bars(found.probabilities, !!found.labels),
      words.length ? [h('h3', {}, found.labels ? t('classify.decidedFor', { label: visible(found.label) }) : t('classify.decided')), h('ul', { class: 'weights' }, words.map(([word, weight]) => h('li', { class: weight > 0 ? 'for' : 'against' }, bdi(word), h('small', {}, (weight > 0 ? '+' : '−') + Math.abs(weight).toFixed(2)))))] : '',
      text ? h('div', { class: 'marked', dir: 'auto', tabIndex: 0, role: 'region', 'aria-label': t('classify.marked') }, marked(text, words)) : '',
      found.method ? h('p', { class: 'hint' }, t('classify.method', { method: visible(found.method) })) : '');
  }

  async take(files) {
    if (!files.length) return;
    if (this.chosen.task === 'picture') { await this.takePicture(files[0]); return; }
    if (files.length === 1 && !TABLE.test(files[0].name)) {
      const text = await readable(files[0]);
      if (text === null) { this.say(note(t('classify.noText'), 'error')); return; }
      this.text.value = text;
      await this.run();
    } else if (files.length === 1) await this.takeTable(files[0]);
    else await this.takeTexts(files);
  }

  /** Label a table on the server and offer it with its labels. */
  async takeTable(given) {
    await this.asking(async () => {
      const form = new FormData();
      form.append('model', this.model.value);
      form.append('file', given);
      const format = /\.jsonl?$/i.test(given.name) ? 'jsonl' : 'csv';
      const found = await file(`/v1/label?format=${format}`, form);
      this.say(h('h2', { class: 'first' }, t('classify.table')), h('p', {}, t('classify.tableReady', { name: visible(given.name) })),
        h('div', { class: 'go' }, h('button', { type: 'button', class: 'primary', onclick: () => download(given.name.replace(/(\.\w+)+$/, '') + `-labelled.${format}`, found) }, t('classify.download'))));
    });
  }

  /** Label several text files or those of a folder, and offer the table. Files that are no texts are named. */
  async takeTexts(files) {
    await this.asking(async () => {
      const rows = [], others = [];
      for (let start = 0; start < files.length; start += PART) {
        const part = await Promise.all(files.slice(start, start + PART).map(async each => ({ name: each.webkitRelativePath || each.name, text: await readable(each) })));
        others.push(...part.filter(each => each.text === null).map(each => each.name));
        const texts = part.filter(each => each.text !== null);
        if (!texts.length) continue;
        const artist = this.chosen.artist ? { artist: this.artist.value.trim() } : {};
        const { data } = await post('/v1/label', { model: this.model.value, rows: texts.map(each => ({ title: each.name, lyrics: each.text, ...artist })) });
        data.forEach((found, n) => rows.push([texts[n].name, [found.label ?? []].flat(), [found.probability ?? []].flat(), found.prediction_set ?? [], [found.reason ?? [], found.flags ?? []].flat()]));
      }
      const left = others.length ? note(t('classify.leftOut', { n: others.length, names: others.join(', ') })) : '';
      if (!rows.length) { this.say(left || note(t('classify.noText'), 'error')); return; }
      const several = rows.some(([, , , set]) => set.length), notes = rows.some(([, , , , found]) => found.length);
      const names = ['file', 'label', 'probability', several && 'set', notes && 'note'].filter(Boolean);
      const quoted = text => `"${String(text).replace(/^[=+\-@\t\r]/, "'$&").replaceAll('"', '""')}"`;
      const csv = ['file,label,probability,prediction_set,note', ...rows.map(([name, labels, p, set, found]) =>
        [quoted(name), quoted(labels.join('; ')), p.map(each => each.toFixed(4)).join('; '), quoted(set.join('; ')), quoted(found.join('; '))].join(','))].join('\r\n');
      const cells = ([name, labels, p, set, found]) => [h('td', {}, bdi(name)), h('td', {}, bdi(labels.join('; '))), h('td', { class: 'number' }, p.map(percent).join('; ')),
        several && h('td', {}, bdi(set.join(', '))), notes && h('td', {}, bdi(found.join('; ')))];
      this.say(h('h2', { class: 'first' }, t('classify.files', { n: rows.length })), left,
        h('div', { class: 'scroll tall', tabIndex: 0, role: 'region', 'aria-label': t('classify.table') }, h('table', {}, h('thead', {}, h('tr', {}, names.map(name => h('th', { scope: 'col' }, t(`classify.column.${name}`))))),
          h('tbody', {}, rows.map(row => h('tr', {}, cells(row)))))),
        h('div', { class: 'go' }, h('button', { type: 'button', class: 'primary', onclick: () => download('labels.csv', csv, 'text/csv') }, t('classify.download'))));
    });
  }

  async takePicture(given) {
    this.image.hidden = true;
    await this.asking(async () => {
      const small = await shrunk(given, 2 ** 21);
      this.image.src = URL.createObjectURL(small);
      this.image.onload = () => { this.image.hidden = false; URL.revokeObjectURL(this.image.src); };
      this.dropText.textContent = visible(given.name) + (small === given ? '' : ` (${t('classify.smaller')})`);
      const { data: [found] } = await post('/v1/classify', { model: this.model.value, pictures: [await base64(small)] });
      this.show(found, '');
    });
  }
}

/** Return the files of a drop, also those in its folders, in the order of their paths. */
async function dropped({ items, files }) {
  const found = [], entries = [...items].map(item => item.webkitGetAsEntry?.()).filter(Boolean);
  const open = async (entry, path) => {
    if (entry.isFile) {
      const file = await new Promise((done, failed) => entry.file(done, failed));
      if (path) Object.defineProperty(file, 'webkitRelativePath', { value: `${path}${entry.name}` });
      found.push(file);
      return;
    }
    const reader = entry.createReader(), inside = [];
    for (let some; (some = await new Promise((done, failed) => reader.readEntries(done, failed))).length;) inside.push(...some);
    for (const each of inside.sort((a, b) => a.name.localeCompare(b.name))) await open(each, `${path}${entry.name}/`);
  };
  const all = [...files];
  for (const entry of entries) await open(entry, '');
  return found.length ? found : all;
}

/** Return the text of a file; null for tables, pictures and other files that are no text. */
async function readable(file) {
  if (TABLE.test(file.name) || PICTURE.test(file.type)) return null;
  const text = await file.text();
  return text.includes('\0') || !text.trim() ? null : text;
}

const percent = share => new Intl.NumberFormat('en', { style: 'percent', maximumFractionDigits: 1 }).format(share);

/** Return the predicted label, or with several labels a song each of them with its probability. */
function predicted({ label, labels, probabilities }) {
  if (!labels) return bdi(label);
  return labels.length ? labels.flatMap((each, n) => [n ? ', ' : '', bdi(each), ' ', h('small', {}, percent(probabilities[each]))]) : t('classify.noLabel');
}

/** Show the most probable labels. Probabilities of several labels a song add up to nothing, so the rest has a maximum. */
function bars(probabilities, several) {
  const all = Object.entries(probabilities), rest = all.slice(SHOWN);
  const rows = all.slice(0, SHOWN).map(([label, share]) => h('li', {}, h('span', {}, bdi(label)), h('span', { class: 'number' }, percent(share)), h('meter', { value: share, min: 0, max: 1, 'aria-label': visible(label) })));
  return h('div', {}, h('ol', { class: 'bars' }, rows), rest.length ? h('p', { class: 'hint' }, several ? t('classify.restEach', { n: rest.length, share: percent(rest[0][1]) }) : t('classify.rest', { n: rest.length, share: percent(rest.reduce((sum, [, share]) => sum + share, 0)) })) : '');
}

/** Return a text with the weighted words marked. */
function marked(text, words) {
  const weights = new Map(words.map(([word, weight]) => [word.trim().toLowerCase(), weight]).filter(([word]) => word));
  if (!weights.size) return visible(text);
  const any = [...weights.keys()].sort((a, b) => b.length - a.length).map(word => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|');
  const pieces = text.split(new RegExp(`(?<![\\p{L}\\p{N}_])(${any})(?![\\p{L}\\p{N}_])`, 'giu'));
  return pieces.map((piece, n) => n % 2 ? h('mark', { class: weights.get(piece.toLowerCase()) > 0 ? 'for' : 'against' }, visible(piece)) : visible(piece));
}

async function shrunk(given, most) {
  if (given.size <= most) return given;
  let bitmap;
  try { bitmap = await createImageBitmap(given); } catch { throw new Error(t('classify.noPicture')); }
  const scale = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = h('canvas', {});
  [canvas.width, canvas.height] = [bitmap.width * scale, bitmap.height * scale];
  canvas.getContext('2d').drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise(done => canvas.toBlob(done, 'image/jpeg', 0.95));
}

function base64(blob) {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(String(reader.result).split(',')[1] ?? '');
    reader.onerror = () => failed(new Error(t('classify.noPicture')));
    reader.readAsDataURL(blob);
  });
}
