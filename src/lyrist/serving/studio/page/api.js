// The documented HTTP API. Every request goes to the server that sent this page.

import { t } from './texts.js';

/** A refused or failed request; the message is a sentence for people. */
export class ApiError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** Replace what the server refuses in a text: NUL, and half of a pair of surrogates. */
const whole = (_, value) => (typeof value === 'string' ? value.replaceAll('\0', '\ufffd').toWellFormed() : value);

async function respond(method, path, body, signal, more = {}) {
  const form = body instanceof FormData;
  const headers = body === undefined || form ? more : { 'Content-Type': 'application/json', ...more };
  const content = body === undefined || form ? body : JSON.stringify(body, whole);
  let response;
  try {
    response = await fetch(path, { method, headers, body: content, signal });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError(t('error.offline'), 0);
  }
  if (response.ok) return response;
  const found = await response.json().catch(() => null);
  throw new ApiError(found?.error?.message ?? t('error.status', { status: response.status }), response.status);
}

export const get = async (path, signal) => (await respond('GET', path, undefined, signal)).json();
export const post = async (path, body, signal) => (await respond('POST', path, body, signal)).json();
export const put = async (path, body, headers) => respond('PUT', path, body, undefined, headers);
export const remove = async path => respond('DELETE', path);
export const file = async (path, body) => (await respond('POST', path, body)).blob();

/** Yield the data of each server-sent event of a response, until `[DONE]`. */
export async function* events(path, body, signal) {
  const response = await respond('POST', path, body, signal);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = '', whole = false; !whole;) {
    const { value, done } = await reader.read().catch(error => { throw error.name === 'AbortError' ? error : new ApiError(t('error.cut'), 0); });
    whole = done;
    const pieces = (rest + (value ?? '')).split(/\r?\n\r?\n/);
    rest = done ? '' : pieces.pop();
    for (const piece of pieces) {
      const data = piece.split(/\r?\n/).filter(line => line.startsWith('data:')).map(line => line.slice(5).trim()).join('\n');
      if (data === '[DONE]') return;
      if (!data) continue;
      const found = JSON.parse(data);
      if (found.error) throw new ApiError(found.error.message, 500);
      yield found;
    }
  }
  throw new ApiError(t('error.cut'), 0);
}

let known;

/** Return the served models; requested once, and again with `fresh`. */
export function models(fresh = false) {
  if (!known || fresh) {
    known = get('/v1/models').then(found => found.data);
    known.catch(() => { known = undefined; });
  }
  return known;
}
