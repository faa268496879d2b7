/** What the plugins share. */

import type { CodeEditor } from '@jupyterlab/codeeditor';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { Token } from '@lumino/coreutils';
import type { ISignal } from '@lumino/signaling';

import type { Runner } from './actions/runner.js';
import type { Link } from './kernel/link.js';

/** A cell in an open notebook. */
export interface Place {
  readonly panel: NotebookPanel;
  readonly index: number;
}

/** The open notebooks, each with the link to its kernel. */
export interface INotebooks {
  /** The notebook that was used last; null where none is open. */
  readonly current: NotebookPanel | null;
  /** After another notebook or another cell became the current one, or a link changed. */
  readonly changed: ISignal<INotebooks, void>;
  /** The link to a notebook's kernel. */
  link(panel: NotebookPanel): Link;
  /** Where the cell of an editor's model is; null where it is in no notebook, or not yet. */
  locate(model: CodeEditor.IModel): Place | null;
}

/** The token of the open notebooks. */
export const INotebooks = new Token<INotebooks>('wasmhub-magics-lab:INotebooks');

/** What runs filters' cells and writes new ones. */
export type IRunner = Runner;

/** The token of what runs filters' cells. */
export const IRunner = new Token<IRunner>('wasmhub-magics-lab:IRunner');
