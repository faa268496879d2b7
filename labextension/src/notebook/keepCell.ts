/** Cells that an output asks to be kept in its notebook, as text: the tester's cases. */

import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';

/** What an output asks: a cell of this source, in the place of the one whose first line is the magic, if there is one. */
interface Wish {
  readonly source: string;
  readonly magic: string;
  /** What was done, in words; to be set by whoever does it. */
  told: string;
}

/** Write the cells that outputs ask for by the event `wasmhub:keep-cell`. */
export function keepCells(tracker: INotebookTracker, trans: TranslationBundle): void {
  document.addEventListener('wasmhub:keep-cell', event => {
    const from = event.target;
    const wish = (event as CustomEvent<Wish>).detail;
    const panel = from instanceof Node ? tracker.find(each => each.node.contains(from)) : undefined;
    if (panel === undefined || !(from instanceof Node)) {
      return;
    }
    wish.told = keepCell(panel, from, wish) ? trans.__('kept in its cell') : trans.__('kept in the cell below');
    event.preventDefault();
  });
}

/** Write a cell; whether there was one. */
function keepCell(panel: NotebookPanel, from: Node, { source, magic }: Wish): boolean {
  const cells = panel.content.model?.sharedModel.cells ?? [];
  const text = source.replace(/\n$/, '');
  const known = cells.find(each => each.getSource().split('\n', 1)[0]?.trim() === magic);
  if (known !== undefined) {
    known.setSource(text);
    return true;
  }
  const at = panel.content.widgets.findIndex(each => each.node.contains(from));
  panel.content.model?.sharedModel.insertCell(at + 1, { cell_type: 'code', source: text, metadata: {} });
  return false;
}
