/** Do things with filters by running the cells that do them. */

import type { ISessionContextDialogs } from '@jupyterlab/apputils';
import { NotebookActions, type NotebookPanel } from '@jupyterlab/notebook';
import type { ITranslator } from '@jupyterlab/translation';
import { MessageLoop } from '@lumino/messaging';

import { type FilterCell, readFilterText, stateOf } from '../notebook/filterCell.js';
import type { INotebooks, Place } from '../tokens.js';
import { type Action, type CellText, targetOf } from './actions.js';
import { withFreeName } from './naming.js';

const LOAD = '%load_ext wasmhub_magics';
const LOADS = /^\s*%(?:re)?load_ext\s+wasmhub_magics\b/m;

/** A filter's cell in a notebook, with what it says. */
export interface FilterPlace extends Place {
  readonly cell: FilterCell;
}

/** Runs cells of notebooks, and writes those that are missing. */
export class Runner {
  constructor(
    private readonly notebooks: INotebooks,
    private readonly translator: ITranslator,
    private readonly dialogs: ISessionContextDialogs | null
  ) {}

  /** The filter that an action is about where none is named: that of the active cell, else of the nearest above. */
  active(): FilterPlace | null {
    const panel = this.notebooks.current;
    if (panel === null || panel.content.model === null) {
      return null;
    }
    for (let index = panel.content.activeCellIndex; index >= 0; index--) {
      const found = this.filterAt({ panel, index });
      if (found !== null) {
        return found;
      }
    }
    return null;
  }

  /** What a cell says as a filter's; null where it is none. */
  filterAt(place: Place): FilterPlace | null {
    const model = place.panel.content.widgets[place.index]?.model;
    const cell = model?.type === 'code' ? readFilterText(model.sharedModel.getSource()) : null;
    return cell === null ? null : { ...place, cell };
  }

  /** All filters of a notebook, one for each cell. */
  filters(panel: NotebookPanel): FilterPlace[] {
    return panel.content.widgets
      .map((_, index) => this.filterAt({ panel, index }))
      .filter(each => each !== null);
  }

  /** Do something with a filter, which is built before where it is not. False where a cell on the way failed. */
  async run(action: Action, place: FilterPlace): Promise<boolean> {
    const { panel } = place;
    const model = panel.content.widgets[place.index]?.model;
    const index = (): number => panel.content.widgets.findIndex(each => each.model === model);
    if (!(await this.load(panel))) {
      return false;
    }
    const state = stateOf(place.cell, this.notebooks.link(panel).filter(place.cell.name));
    if (action === 'build') {
      return this.runCell(panel, index());
    }
    if ((state === 'unbuilt' || state === 'stale') && !(await this.runCell(panel, index()))) {
      return false;
    }
    const target = targetOf(action, place.cell.name, index(), textsOf(panel));
    return 'index' in target
      ? this.runCell(panel, target.index)
      : this.runNew(panel, target.before, target.source);
  }

  /** Run a line below a notebook's active cell, in a cell of its own. */
  async runBelow(panel: NotebookPanel, source: string): Promise<boolean> {
    if (!(await this.load(panel))) {
      return false;
    }
    return this.runNew(panel, panel.content.activeCellIndex + 1, source);
  }

  /** Pull an image below a notebook's active cell, under a name that no filter of the notebook has. */
  async pull(panel: NotebookPanel, source: string): Promise<boolean> {
    const written = this.filters(panel).map(each => each.cell.name);
    const known = this.notebooks.link(panel).filters.map(each => each.name);
    const sources = textsOf(panel).map(each => each.source);
    return this.runBelow(panel, withFreeName(source, [...written, ...known], sources));
  }

  /** Write a cell below a notebook's active cell, and go there. The notebook loads the magics if it did not. */
  async write(panel: NotebookPanel, source: string): Promise<void> {
    this.loadingCell(panel);
    const { content } = panel;
    const active = content.activeCell?.model;
    const empty = active?.type === 'code' && active.sharedModel.getSource().trim() === '';
    if (empty) {
      active.sharedModel.setSource(source);
    } else {
      content.activeCellIndex = insert(panel, content.activeCellIndex + 1, source);
    }
    await content.scrollToItem(content.activeCellIndex, 'auto');
    content.activate();
    content.mode = 'edit';
  }

  /** Load the magics into the notebook's kernel where they are not. */
  async load(panel: NotebookPanel): Promise<boolean> {
    const { state } = this.notebooks.link(panel);
    return state === 'ready' || state === 'foreign' || this.runCell(panel, this.loadingCell(panel));
  }

  /** The index of the cell that loads the magics, which is written where there is none. */
  private loadingCell(panel: NotebookPanel): number {
    const index = textsOf(panel).findIndex(each => each.code && LOADS.test(each.source));
    return index >= 0 ? index : insert(panel, 0, LOAD);
  }

  /** Run a cell that is made for it, and bring it into sight: whoever asked does not know yet where it is. */
  private runNew(panel: NotebookPanel, before: number, source: string): Promise<boolean> {
    const index = insert(panel, before, source);
    const running = this.runCell(panel, index);
    void panel.content.scrollToItem(index, 'center'); // after the notebook has gone back to its active cell
    return running;
  }

  private async runCell(panel: NotebookPanel, index: number): Promise<boolean> {
    const cell = panel.content.widgets[index];
    if (cell === undefined) {
      return false;
    }
    const { content, sessionContext } = panel;
    return keepingFocus(() =>
      NotebookActions.runCells(content, [cell], sessionContext, this.dialogs ?? undefined, this.translator)
    );
  }
}

function textsOf(panel: NotebookPanel): CellText[] {
  return panel.content.widgets.map(({ model }) => ({
    code: model.type === 'code',
    source: model.sharedModel.getSource()
  }));
}

function insert(panel: NotebookPanel, index: number, source: string): number {
  keepingFocus(() =>
    panel.content.model?.sharedModel.insertCell(index, { cell_type: 'code', source, metadata: {} })
  );
  return index;
}

/** Notebooks take the focus to their active cell: who pressed a button of a bar by a key stays there for the next. */
function keepingFocus<T>(act: () => T): T {
  const focused = document.activeElement;
  const done = act();
  if (focused instanceof HTMLElement && focused.closest('.wh-bar') !== null) {
    MessageLoop.flush();
    focused.focus();
  }
  return done;
}
