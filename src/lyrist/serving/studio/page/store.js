// Songs and their versions in the browser's database; songs also on the server where it keeps projects.

import { get, put, remove } from './api.js';
import { stored } from './dom.js';
import { toText, uid } from './song.js';

const VERSIONS = 200; // kept for each song
const SOON = 1000; // milliseconds between a change and its request to the server
const LATER = 5000; // milliseconds until a request is tried again
const memory = { songs: new Map(), versions: new Map() };
let opened;

/** `version`: a version was kept; `sent`: the server answered to a song. */
export const events = new EventTarget();

/** Return the database; null where the browser allows none (songs are then kept in memory only). */
function database() {
  opened ??= new Promise(resolve => {
    let request;
    try { request = indexedDB.open('lyrist', 1); } catch { resolve(null); return; }
    request.onupgradeneeded = () => {
      request.result.createObjectStore('songs', { keyPath: 'id' });
      request.result.createObjectStore('versions', { keyPath: 'key' }).createIndex('song', 'song');
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => resolve(null);
  });
  return opened;
}

async function run(name, mode, act, otherwise) {
  const db = await database();
  if (!db) return otherwise(memory[name]);
  return new Promise((resolve, reject) => {
    const transaction = db.transaction(name, mode);
    const request = act(transaction.objectStore(name));
    transaction.oncomplete = () => resolve(request?.result);
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
  });
}

/** Whether songs outlive the page. */
export const persistent = async () => (await database()) !== null;

const local = {
  all: () => run('songs', 'readonly', s => s.getAll(), m => [...m.values()]),
  get: id => run('songs', 'readonly', s => s.get(id), m => m.get(id)),
  put: song => run('songs', 'readwrite', s => s.put(song), m => m.set(song.id, song)),
  delete: id => run('songs', 'readwrite', s => s.delete(id), m => m.delete(id)),
};

// Server projects.

let offered;

/** Return whether the server keeps projects (`lyrist serve --projects DIR`). */
export function onServer() {
  offered ??= get('/healthz').then(health => health.projects === true, () => { offered = undefined; return false; });
  return offered;
}

const path = id => `/v1/projects/${encodeURIComponent(id)}`;
const SYNCED = 'lyrist-synced';

/** Return the songs as the server has them: an id to its ETag and the time of the change. Other tabs write it too. */
function synced() {
  try { return new Map(JSON.parse(stored.get(SYNCED)) ?? []); } catch { return new Map(); }
}

function remember(id, etag, updated) {
  const all = synced();
  if (etag) all.set(id, [etag, updated]);
  else all.delete(id);
  stored.set(SYNCED, JSON.stringify([...all]));
}

const jobs = new Map(); // id -> { song, timer, running, problem }: songs that the server does not have yet

/** Return whether the server has a song as it is now: null, or `pending`, or why not. */
export const unsent = id => (jobs.has(id) ? jobs.get(id).problem || 'pending' : null);

/** Send a song to the server a second after its last change, one request at a time. */
async function send(song, wait = SOON) {
  if (!(await onServer())) return;
  const job = jobs.get(song.id) ?? {};
  jobs.set(song.id, job);
  job.song = song;
  if (job.running) return; // sent after the present request
  clearTimeout(job.timer);
  job.timer = setTimeout(() => work(job), wait);
}

async function work(job) {
  const { song } = job;
  clearTimeout(job.timer);
  job.running = true;
  let again = false;
  try {
    await upload(song);
    job.problem = '';
  } catch (error) {
    job.problem = error.message;
    again = !error.status || error.status >= 500 || error.status === 429;
  }
  job.running = false;
  if (jobs.get(song.id) === job) { // it was not erased
    if (again || job.song !== song) job.timer = setTimeout(() => work(job), again ? LATER : SOON);
    else if (!job.problem) jobs.delete(song.id);
  }
  events.dispatchEvent(new Event('sent'));
}

addEventListener('visibilitychange', () => { // the page may be closed next
  if (document.visibilityState === 'hidden') for (const job of jobs.values()) if (!job.running) work(job);
});

/** Store a song on the server; what another browser stored there in the meantime is kept as a version. */
async function upload(song) {
  const [known] = synced().get(song.id) ?? [];
  const store = async headers => remember(song.id, (await put(path(song.id), song, headers)).headers.get('ETag'), song.updated);
  try {
    await store(known ? { 'If-Match': known } : {});
  } catch (error) {
    if (error.status !== 412) throw error;
    await saveVersion({ ...await get(path(song.id)), id: song.id }, 'elsewhere').catch(() => {}); // deleted there
    await store({});
  }
}

/** Take songs from the server that were changed there later than here; what they replace is kept as a version. */
async function receive() {
  if (!(await onServer())) return;
  const { data } = await get('/v1/projects').catch(() => ({ data: null }));
  if (!data) return;
  for (const { id, etag } of data) {
    if (synced().get(id)?.[0] === etag) continue;
    const song = await get(path(id)).catch(() => null), mine = await local.get(id);
    if (!Array.isArray(song?.sections) || (mine && mine.updated >= song.updated)) continue;
    if (mine) await saveVersion(mine, 'elsewhere');
    await local.put({ ...song, id });
    remember(id, etag, song.updated);
  }
  for (const song of await local.all()) if (synced().get(song.id)?.[1] !== song.updated && !jobs.has(song.id)) send(song); // changed without the server
}

/** Return all songs, the last changed first. */
export async function songs() {
  await receive();
  return (await local.all()).sort((a, b) => b.updated - a.updated);
}

export const load = id => local.get(id);

export async function save(song) {
  await local.put(song);
  channel?.postMessage({ id: song.id, updated: song.updated });
  send(song);
}

export async function erase(id) {
  await local.delete(id);
  for (const version of await versions(id)) await run('versions', 'readwrite', s => s.delete(version.key), m => m.delete(version.key));
  clearTimeout(jobs.get(id)?.timer);
  jobs.delete(id);
  if (synced().has(id)) await remove(path(id)).catch(() => {});
  remember(id, null);
}

const channel = 'BroadcastChannel' in window ? new BroadcastChannel('lyrist-songs') : null;

/** Call `act` with the id of a song that another tab has changed. */
export function onChangedElsewhere(act) {
  channel?.addEventListener('message', event => act(event.data));
}

// Versions.

/** Return the versions of a song, the newest first. */
export async function versions(id) {
  const found = await run('versions', 'readonly', s => s.index('song').getAll(id), m => [...m.values()].filter(v => v.song === id));
  return found.sort((a, b) => b.time - a.time);
}

/** Keep a song as it is now; returns whether it differs from the last version. */
export async function saveVersion(song, why = 'saved') {
  const known = await versions(song.id);
  if (known[0] && toText(known[0].state) === toText(song) && known[0].state.title === song.title) return false;
  const version = { key: uid(), song: song.id, time: Date.now(), why, state: structuredClone(song) };
  await run('versions', 'readwrite', s => s.put(version), m => m.set(version.key, version));
  for (const old of known.slice(VERSIONS - 1)) await run('versions', 'readwrite', s => s.delete(old.key), m => m.delete(old.key));
  events.dispatchEvent(new Event('version'));
  return true;
}
