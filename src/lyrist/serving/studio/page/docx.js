// Word files as text: the paragraphs of word/document.xml, read from the archive by the browser itself.

const MOST = 8 * 2 ** 20; // bytes of the unpacked document
const WORD = 'http://schemas.openxmlformats.org/wordprocessingml/2006/main';

/** Return the text of a Word file as Markdown: a title, headings, and paragraphs; it throws if the file is none. */
export async function textOf(file) {
  const found = new DOMParser().parseFromString(await unpacked(await file.arrayBuffer(), 'word/document.xml'), 'application/xml');
  if (found.doctype || found.querySelector('parsererror')) throw new Error('document.xml');
  return [...found.getElementsByTagNameNS(WORD, 'p')].map(paragraph).join('\n');
}

function paragraph(element) {
  const style = element.getElementsByTagNameNS(WORD, 'pStyle')[0]?.getAttributeNS(WORD, 'val') ?? '';
  const pieces = [...element.getElementsByTagNameNS(WORD, '*')].map(({ localName, textContent }) =>
    ({ t: textContent, br: '\n', cr: '\n', tab: ' ' })[localName] ?? '');
  const text = pieces.join('').trim();
  if (/^Title$/i.test(style)) return `# ${text}`;
  if (/^(Heading|berschrift|Titre)\d$/i.test(style)) return `## ${text}`;
  return text.includes('\n') ? `${text}\n` : text; // a paragraph of several lines is a stanza
}

/** Return a file of a ZIP archive as text. */
async function unpacked(buffer, name) {
  const view = new DataView(buffer), bytes = new Uint8Array(buffer), decoder = new TextDecoder();
  let end = buffer.byteLength - 22;
  while (view.getUint32(end, true) !== 0x06054b50) end -= 1; // a file without it throws at its start
  for (let at = view.getUint32(end + 16, true), left = view.getUint16(end + 10, true); left; left -= 1) {
    const [method, size, length, extra, comment] = [[10, 16], [20, 32], [28, 16], [30, 16], [32, 16]].map(([place, bits]) => view[`getUint${bits}`](at + place, true));
    if (decoder.decode(bytes.subarray(at + 46, at + 46 + length)) === name) {
      const local = view.getUint32(at + 42, true), start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
      const packed = new Blob([bytes.subarray(start, start + size)]).stream();
      return limited(method ? packed.pipeThrough(new DecompressionStream('deflate-raw')) : packed);
    }
    at += 46 + length + extra + comment;
  }
  throw new Error(name);
}

/** Return a stream as text; a longer one is refused before it is unpacked whole. */
async function limited(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ''; ;) {
    const { value, done } = await reader.read();
    if (done) return text;
    text += value;
    if (text.length > MOST) throw new Error('large');
  }
}
