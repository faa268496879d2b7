/** Completion in filter cells: names of the API with what they mean, and snippets. It needs no kernel. */

import type { CompletionHandler, ICompletionContext, ICompletionProvider } from '@jupyterlab/completer';
import { Text } from '@codemirror/state';

import { magicLineOf } from '../languages/magicLine.js';
import { entriesFor, snippetsFor } from './api.js';

/** Above the kernel's own, which offers the words of the cell. */
const RANK = 1100;

/** Offers what a filter can call and define. */
export class ApiCompletions implements ICompletionProvider {
  readonly identifier = 'wasmhub-magics-lab:help';
  readonly rank = RANK;

  async isApplicable(context: ICompletionContext): Promise<boolean> {
    const source = context.editor?.model.sharedModel.getSource();
    return source !== undefined && /^\s*%%wasm_filter\b/.test(source);
  }

  async fetch(
    request: CompletionHandler.IRequest
  ): Promise<CompletionHandler.ICompletionItemsReply<CompletionHandler.ICompletionItem>> {
    const { text, offset } = request;
    const start = /\w*$/.exec(text.slice(0, offset))?.[0] ?? '';
    const magic = magicLineOf(Text.of(text.split('\n')));
    const from = offset - start.length;
    if (magic === null || magic.language === null || from <= magic.to) {
      return { start: offset, end: offset, items: [] };
    }
    const language = magic.language.name;
    const items = [
      ...(await entriesFor(start, language)).map(each => ({
        label: each.name,
        insertText: each.name,
        type: 'function',
        documentation: [each.signature, each.meaning, each.results].filter(part => part !== '').join('\n\n')
      })),
      ...(await snippetsFor(start, language)).map(each => ({
        label: each.label,
        insertText: each.text,
        type: 'snippet',
        documentation: `${each.meaning}\n\n${each.text}`
      }))
    ];
    return { start: from, end: offset, items };
  }
}
