/** The open notebooks and the links to their kernels, for the other plugins. */

import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';

import { INotebooks } from '../tokens.js';
import { Notebooks } from './notebooks.js';

/** Links each open notebook to its kernel. */
export const notebooksPlugin: JupyterFrontEndPlugin<INotebooks> = {
  id: 'wasmhub-magics-lab:notebooks',
  description: 'What the kernel of each open notebook tells of its filters.',
  autoStart: true,
  requires: [INotebookTracker],
  provides: INotebooks,
  activate: (_app, tracker: INotebookTracker) => new Notebooks(tracker)
};
