/** Errors where they are: in the source of the cell that has them. */

import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { EditorExtensionRegistry, IEditorExtensionRegistry } from '@jupyterlab/codemirror';

import { isCodeCell } from '../cellModel.js';
import { INotebooks } from '../tokens.js';
import { marks } from './marks.js';

/** Marks compilers' messages and failures at work in the source of filter cells. */
export const diagnosticsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'wasmhub-magics-lab:diagnostics',
  description: "Compilers' messages and traps marked in filter cells, with the message under the pointer.",
  autoStart: true,
  requires: [IEditorExtensionRegistry],
  optional: [INotebooks],
  activate: (_app, extensions: IEditorExtensionRegistry, notebooks: INotebooks | null) => {
    extensions.addExtension({
      name: 'wasmhub-magics-lab:diagnostics',
      factory: ({ model }) =>
        isCodeCell(model) ? EditorExtensionRegistry.createImmutableExtension(marks(model, notebooks)) : null
    });
  }
};
