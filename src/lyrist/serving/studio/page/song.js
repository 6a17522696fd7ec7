// A song as data: sections with lines. Functions of the second part change a draft in place and return where the caret goes.

export const uid = () => [...crypto.getRandomValues(new Uint8Array(8))].map(byte => byte.toString(16).padStart(2, '0')).join('');

export const newLine = (text = '', locked = false) => ({ id: uid(), text, locked });

export const newSection = (name, lines = [''], plan = {}) => ({
  id: uid(), name, rhyme: '', syllables: null, metre: '', beats: null, ...plan, lines: lines.map(text => newLine(text)),
});

export const newSong = (title = '', sections = [newSection('Verse 1')]) => ({
  id: uid(), title, topic: '', mood: '', use: '', avoid: '', language: '', model: '', genre: '', artist: '', tempo: null, sections, created: Date.now(), updated: Date.now(),
});

export const lines = song => song.sections.flatMap(section => section.lines);
export const isEmpty = song => lines(song).every(line => !line.text.trim());
export const words = given => given.split(/[,;\n]/).map(word => word.trim()).filter(Boolean);

/** Return the place of a line: its section, line and their indices; undefined if it is gone. */
export function find(song, id) {
  for (const [s, section] of song.sections.entries()) {
    const l = section.lines.findIndex(line => line.id === id);
    if (l >= 0) return { s, l, section, line: section.lines[l] };
  }
  return undefined;
}

/** What a song has at most: the server analyses no more lines and sections. */
const MOST = { mostLines: 400, mostSections: 100, mostCharacters: 2000 };

/** Return the size of sections that are more than a song, for a message; null if they are not. */
export function tooLarge(sections) {
  const all = sections.flatMap(section => section.lines);
  const fits = all.length <= MOST.mostLines && sections.length <= MOST.mostSections && all.every(line => line.text.length <= MOST.mostCharacters);
  return fits ? null : { lines: all.length.toLocaleString('en'), sections: sections.length.toLocaleString('en'), ...MOST };
}

// Tempo: beats a minute of the song, and beats of each line of a section.

export const BEATS = 8; // of a line, where a section has none: two bars of four

/** Return the seconds of a line of a section; null without a tempo. */
export const secondsOfLine = (song, section) => (song.tempo ? (section.beats ?? BEATS) * 60 / song.tempo : null);

/** Return seconds as 1:05. */
export const clock = seconds => `${Math.floor(Math.round(seconds) / 60)}:${String(Math.round(seconds) % 60).padStart(2, '0')}`;

/** Patterns of metres: 1 is stressed. */
export const METRES = { iambic: '01', trochaic: '10', anapestic: '001', dactylic: '100' };

/** Return the planned letter and syllables of a line of a section. */
export function planned(section, l) {
  const { rhyme, syllables } = section;
  return {
    letter: rhyme ? rhyme[l % rhyme.length] : '',
    syllables: Array.isArray(syllables) ? syllables[l % syllables.length] : syllables,
  };
}

/** Return a song with the text of one line replaced; the other lines are shared. */
export function withText(song, id, text) {
  const { s, l } = find(song, id);
  const sections = [...song.sections], section = { ...sections[s], lines: [...sections[s].lines] };
  section.lines[l] = { ...section.lines[l], text };
  sections[s] = section;
  return { ...song, sections };
}

/** Return what `POST /v1/compose` takes as a sheet. */
export const sheetOf = song => ({
  title: song.title, topic: song.topic, mood: song.mood, use: words(song.use), avoid: words(song.avoid), language: song.language || null,
  sections: song.sections.map(({ name, rhyme, syllables, metre, lines }) => ({
    name, rhyme: new Set(rhyme).size < rhyme.length ? rhyme : null, syllables, metre: metre || null, lines: lines.map(({ text, locked }) => ({ text, locked })),
  })),
});

// Changes of a draft.

/** Split a line at the caret. Enter at its end goes to an empty next line; Enter in an empty last line starts a section. */
export function split(song, id, at) {
  const { s, l, section, line } = find(song, id);
  const next = section.lines[l + 1];
  if (!line.text.trim() && !next && l > 0) {
    section.lines.pop();
    return insertSection(song, s + 1, freeName(song, 'Verse'));
  }
  if (at >= line.text.length && next && !next.text.trim() && !next.locked) return { id: next.id, offset: 0 };
  const rest = newLine(line.text.slice(at).trimStart());
  line.text = line.text.slice(0, at).trimEnd();
  section.lines.splice(l + 1, 0, rest);
  return { id: rest.id, offset: 0 };
}

/** Join a line with the one before it; the first line of a section joins its section with the one before. */
export function join(song, id) {
  const { s, l, section, line } = find(song, id);
  if (l === 0) {
    const before = song.sections[s - 1];
    if (!before) return { id, offset: 0 };
    const empty = section.lines.length === 1 && !line.text.trim();
    const last = before.lines.at(-1);
    if (!empty) before.lines.push(...section.lines);
    song.sections.splice(s, 1);
    return empty ? { id: last.id, offset: last.text.length } : { id, offset: 0 };
  }
  const before = section.lines[l - 1];
  const space = before.text && line.text && !/\s$/.test(before.text) ? ' ' : '';
  const offset = before.text.length + space.length;
  before.text += space + line.text;
  section.lines.splice(l, 1);
  return { id: before.id, offset: Math.min(offset, before.text.length) };
}

/** Paste several lines at the caret; several stanzas become sections, and replace an empty song or section. */
export function paste(song, id, start, end, text) {
  const found = parse(text);
  const { s, l, section, line } = find(song, id);
  if (found.sections.length > 1 || found.named) {
    if (isEmpty(song)) {
      song.sections = found.sections;
      song.title ||= found.title;
    } else {
      const empty = section.lines.every(each => !each.text.trim());
      song.sections.splice(empty ? s : s + 1, empty ? 1 : 0, ...found.sections);
    }
    const last = found.sections.at(-1).lines.at(-1);
    return { id: last.id, offset: last.text.length };
  }
  const given = (found.sections[0]?.lines ?? []).map(each => each.text);
  if (!given.length) return { id, offset: start };
  const tail = line.text.slice(end);
  line.text = line.text.slice(0, start) + given[0];
  let place = l, current = line;
  for (const each of given.slice(1)) {
    const next = section.lines[++place];
    if (next && !next.text.trim() && !next.locked) next.text = each;
    else section.lines.splice(place, 0, newLine(each));
    current = section.lines[place];
  }
  const offset = current.text.length;
  current.text += tail;
  return { id: current.id, offset };
}

/** Remove lines; a section without lines goes too, except the last. */
export function removeLines(song, ids) {
  const all = lines(song), first = all.findIndex(line => ids.includes(line.id));
  for (const section of song.sections) section.lines = section.lines.filter(line => !ids.includes(line.id));
  const kept = song.sections.filter(section => section.lines.length);
  song.sections = kept.length ? kept : [newSection('Verse 1')];
  const left = lines(song), next = left[Math.min(first, left.length - 1)];
  return { id: next.id, offset: 0 };
}

/** Move lines of one section up (-1) or down (1), over the border of sections too. */
export function moveLines(song, ids, step) {
  const { s, l, section } = find(song, ids[0]);
  const to = l + step;
  if (to >= 0 && to + ids.length <= section.lines.length) return moveLinesTo(song, ids, section.id, to);
  const other = song.sections[s + step];
  return other ? moveLinesTo(song, ids, other.id, step < 0 ? other.lines.length : 0) : { id: ids[0] };
}

/** Move lines into a section, before its `index`-th line (counted without the moved lines). */
export function moveLinesTo(song, ids, sectionId, index) {
  const moved = lines(song).filter(line => ids.includes(line.id));
  for (const section of song.sections) section.lines = section.lines.filter(line => !ids.includes(line.id));
  song.sections.find(section => section.id === sectionId).lines.splice(index, 0, ...moved);
  for (const section of song.sections) if (!section.lines.length) section.lines.push(newLine());
  return { id: moved[0].id };
}

/** Move a section to a position. */
export function moveSectionTo(song, sectionId, index) {
  const from = song.sections.findIndex(section => section.id === sectionId);
  const [section] = song.sections.splice(from, 1);
  song.sections.splice(Math.max(0, Math.min(index, song.sections.length)), 0, section);
  return undefined;
}

export function insertSection(song, index, name, from = null) {
  const section = from
    ? { ...structuredClone(from), id: uid(), name, lines: from.lines.map(line => newLine(line.text)) }
    : newSection(name);
  song.sections.splice(index, 0, section);
  return { id: section.lines[0].id, offset: 0 };
}

/** Return a name with the next free number: Verse 1, Verse 2. */
export function freeName(song, name) {
  const used = new Set(song.sections.map(section => section.name.toLowerCase()));
  for (let number = 1; ; number += 1) if (!used.has(`${name} ${number}`.toLowerCase())) return `${name} ${number}`;
}

// Reading and writing text.

const HEADER = /^(?:#{2,6}\s+(.+?)|\[([^\]]{2,40})\]|((?:pre-?|post-?)?(?:verse|chorus|bridge|intro|outro|hook|refrain|interlude)(?:\s+\d{1,2})?)\s*:?)$/i;
const DIRECTIVE = /^\{\s*([\w-]+)\s*(?::\s*(.*?))?\s*\}$/;
const CHORD = /\[[A-G][#b]?(?:m|maj|min|dim|aug|sus|add)?\d{0,2}(?:\/[A-G][#b]?)?\]/g;
const PARTS = { soc: 'Chorus', sov: 'Verse', sob: 'Bridge', start_of_chorus: 'Chorus', start_of_verse: 'Verse', start_of_bridge: 'Bridge' };

/** Return title and sections of a song as plain text, Markdown or ChordPro. */
export function parse(text) {
  const found = { title: '', sections: [], named: false };
  let current = null;
  const begin = name => { current = { name, lines: [] }; found.sections.push(current); };
  for (const raw of text.split(/\r\n|[\r\n\u2028\u2029]/)) {
    const line = raw.replace(CHORD, '').replaceAll('\\', '').replace(/\s+/g, ' ').trim();
    const directive = DIRECTIVE.exec(line), header = HEADER.exec(line);
    const name = header ? header[1] ?? header[2] ?? header[3] : directive && PARTS[directive[1]] ? directive[2] || PARTS[directive[1]] : null;
    if (name) { begin(name); found.named = true; }
    else if (directive) { if (/^t(itle)?$/.test(directive[1])) found.title = directive[2] ?? ''; if (/^(end_of|eo)/.test(directive[1])) current = null; }
    else if (/^# \S/.test(line) && !found.title) found.title = line.slice(2);
    else if (!line) { if (current?.lines.length) current = null; }
    else { if (!current) begin(''); current.lines.push(line); }
  }
  const key = section => section.lines.join('\n').toLowerCase();
  const stanzas = found.sections.filter(section => section.lines.length || section.name);
  if (!found.title && stanzas[1]?.name && !stanzas[0].name && stanzas[0].lines.length === 1) found.title = stanzas.shift().lines[0];
  const counts = new Map();
  for (const section of stanzas) counts.set(key(section), (counts.get(key(section)) ?? 0) + 1);
  let verse = 0;
  found.sections = stanzas.map(section => {
    const name = section.name || (counts.get(key(section)) > 1 ? 'Chorus' : `Verse ${++verse}`);
    return newSection(name, section.lines.length ? section.lines : ['']);
  });
  return found;
}

const filled = song => song.sections.map(({ name, lines }) => ({ name, lines: lines.map(line => line.text.trim()).filter(Boolean) })).filter(section => section.lines.length);

export const toText = song => [song.title, ...filled(song).map(({ name, lines }) => [`[${name}]`, ...lines].join('\n'))].filter(Boolean).join('\n\n') + '\n';

const escaped = text => text.replace(/([\\`*_[\]<>#])/g, '\\$1');

export const toMarkdown = song => [song.title && `# ${escaped(song.title)}`, ...filled(song).map(({ name, lines }) => `## ${escaped(name)}\n\n${lines.map(escaped).join('  \n')}`)].filter(Boolean).join('\n\n') + '\n';

export function toChordPro(song) {
  const parts = filled(song).map(({ name, lines }) => {
    const kind = /chorus|hook|refrain/i.test(name) ? 'chorus' : /bridge/i.test(name) ? 'bridge' : 'verse';
    return [`{start_of_${kind}: ${name.replace(/[{}]/g, '')}}`, ...lines, `{end_of_${kind}}`].join('\n');
  });
  return [song.title && `{title: ${song.title.replace(/[{}]/g, '')}}`, ...parts].filter(Boolean).join('\n\n') + '\n';
}

export const toJSON = song => JSON.stringify({ format: 'lyrist-song-1', ...song }, null, 1);

/** Return a song from JSON; only known fields are taken, so that a file cannot bring anything else. */
export function fromJSON(text) {
  const given = JSON.parse(text);
  if (!Array.isArray(given?.sections)) throw new Error('sections');
  const string = (value, most = 2000) => (typeof value === 'string' ? value.slice(0, most) : '');
  const count = value => (Number.isInteger(value) && value > 0 && value <= 40 ? value : null);
  const tempo = value => (Number.isInteger(value) && value >= 20 && value <= 400 ? value : null);
  const song = newSong(string(given.title), given.sections.map(section => ({
    ...newSection(string(section?.name, 80)), beats: count(section?.beats), rhyme: string(section?.rhyme, 16).toUpperCase().replace(/[^A-Z]/g, ''), metre: string(section?.metre, 40),
    syllables: Array.isArray(section?.syllables) ? section.syllables.map(count).filter(Boolean) : count(section?.syllables),
    lines: (Array.isArray(section?.lines) && section.lines.length ? section.lines : ['']).map(line => newLine(string(line?.text ?? line, Infinity).replace(/\s+/g, ' '), line?.locked === true)),
  })));
  for (const key of ['topic', 'mood', 'use', 'avoid', 'language', 'model', 'genre', 'artist']) song[key] = string(given[key]);
  song.tempo = tempo(given.tempo);
  return song;
}

/** Return the lines of two texts in order, each `same`, `old` or `new` (longest common subsequence). */
export function diff(before, after) {
  const table = Array.from({ length: before.length + 1 }, () => new Uint16Array(after.length + 1));
  for (let i = before.length - 1; i >= 0; i -= 1) {
    for (let j = after.length - 1; j >= 0; j -= 1) table[i][j] = before[i] === after[j] ? table[i + 1][j + 1] + 1 : Math.max(table[i + 1][j], table[i][j + 1]);
  }
  const found = [];
  let i = 0, j = 0;
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) { found.push(['same', before[i]]); i += 1; j += 1; }
    else if (i < before.length && (j === after.length || table[i + 1][j] >= table[i][j + 1])) { found.push(['old', before[i]]); i += 1; }
    else { found.push(['new', after[j]]); j += 1; }
  }
  return found;
}

// Templates: sections as [name, lines, rhyme, syllables, metre].

export const TEMPLATES = {
  'verse-chorus': [['Verse 1', 4, 'ABAB', 8], ['Chorus', 4, 'AABB', 7], ['Verse 2', 4, 'ABAB', 8], ['Chorus', 4, 'AABB', 7], ['Bridge', 2, 'AA', 9], ['Chorus', 4, 'AABB', 7]],
  aaba: [['A 1', 4, 'ABAB', 8], ['A 2', 4, 'ABAB', 8], ['Bridge', 4, 'AABB', 8], ['A 3', 4, 'ABAB', 8]],
  blues: [['Verse 1', 3, 'AAA', 10], ['Verse 2', 3, 'AAA', 10], ['Verse 3', 3, 'AAA', 10], ['Verse 4', 3, 'AAA', 10]],
  sonnet: [['Quatrain 1', 4, 'ABAB', 10, 'iambic'], ['Quatrain 2', 4, 'ABAB', 10, 'iambic'], ['Quatrain 3', 4, 'ABAB', 10, 'iambic'], ['Couplet', 2, 'AA', 10, 'iambic']],
  haiku: [['Haiku', 3, '', [5, 7, 5]]],
  limerick: [['Limerick', 5, 'AABBA', [8, 8, 5, 5, 8]]],
  rap: [['Verse 1', 16, 'AABB', 12]],
};

/** Return the sections of a template; lines that exist are put into them in order, section by section. */
export function fromTemplate(name, old = []) {
  const given = old.filter(section => section.lines.some(line => line.text.trim()));
  const made = TEMPLATES[name].map(([title, count, rhyme, syllables, metre = ''], index) => {
    const kept = given[index]?.lines.filter(line => line.text.trim()) ?? [];
    const section = newSection(title, Array(Math.max(count - kept.length, 0)).fill(''), { rhyme, syllables, metre });
    section.lines.unshift(...kept);
    return section;
  });
  return [...made, ...given.slice(made.length)];
}
