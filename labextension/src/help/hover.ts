/** The meaning of a name under the pointer, in filter cells. */

import type { Extension } from '@codemirror/state';
import { hoverTooltip } from '@codemirror/view';

import { magicLineOf } from '../languages/magicLine.js';
import { type ApiEntry, entryOf } from './api.js';

/** An editor extension that explains the names of the API. `wanted` tells whether it is switched on. */
export function hover(wanted: () => boolean): Extension {
  return hoverTooltip(async (view, position) => {
    const { doc } = view.state;
    const magic = wanted() ? magicLineOf(doc) : null;
    const word = view.state.wordAt(position);
    if (magic === null || magic.language === null || word === null || word.from <= magic.to) {
      return null;
    }
    const entry = await entryOf(doc.sliceString(word.from, word.to), magic.language.name);
    return entry === null ? null : { pos: word.from, end: word.to, create: () => ({ dom: explain(entry) }) };
  });
}

/** The DOM that explains one name. */
export function explain(entry: ApiEntry): HTMLElement {
  const dom = document.createElement('div');
  dom.className = 'wh-help';
  const add = (tag: string, text: string): HTMLElement => {
    const element = dom.appendChild(document.createElement(tag));
    element.textContent = text;
    return element;
  };
  add('code', entry.signature);
  add('p', entry.meaning);
  if (entry.results !== '') {
    add('p', entry.results);
  }
  if (entry.link !== '') {
    const link = dom.appendChild(document.createElement('a'));
    link.href = entry.link;
    link.target = '_blank';
    link.rel = 'noopener noreferrer';
    link.textContent = 'proxy-wasm/spec';
  }
  return dom;
}
