/** The open notebooks and the links to their kernels, for the other plugins. */

import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { mismatchOf } from '../kernel/versions.js';
import { INotebooks } from '../tokens.js';
import { keepCells } from './keepCell.js';
import { leaveOutputs } from './leaveOutput.js';
import { Notebooks } from './notebooks.js';

/** Links each open notebook to its kernel. */
export const notebooksPlugin: JupyterFrontEndPlugin<INotebooks> = {
  id: 'wasmhub-magics-lab:notebooks',
  description: 'What the kernel of each open notebook tells of its filters, and the cells that outputs ask to be kept.',
  autoStart: true,
  requires: [INotebookTracker],
  optional: [ITranslator],
  provides: INotebooks,
  activate: (_app, tracker: INotebookTracker, translator: ITranslator | null) => {
    const trans = (translator ?? nullTranslator).load('wasmhub_magics');
    const notebooks = new Notebooks(tracker);
    keepCells(tracker, trans);
    leaveOutputs(tracker);
    const told = new Set<string>();
    notebooks.changed.connect(() => {
      const link = notebooks.current === null ? null : notebooks.link(notebooks.current);
      const mismatch = mismatchOf(link, trans);
      // Once in a page: the panel and the bars go on saying it.
      if (mismatch !== '' && !told.has(mismatch)) {
        told.add(mismatch);
        Notification.warning(mismatch, { autoClose: false });
      }
    });
    return notebooks;
  }
};
