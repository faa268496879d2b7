/** Errors where they are: in the source of the cell that has them. */

import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { EditorExtensionRegistry, IEditorExtensionRegistry } from '@jupyterlab/codemirror';

import { isCodeCell } from '../cellModel.js';
import { marks } from './marks.js';

/** Marks compilers' messages in the source of filter cells. */
export const diagnosticsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'wasmhub-magics-lab:diagnostics',
  description: "Compilers' messages marked in filter cells, with the message under the pointer.",
  autoStart: true,
  requires: [IEditorExtensionRegistry],
  activate: (_app, extensions: IEditorExtensionRegistry) => {
    extensions.addExtension({
      name: 'wasmhub-magics-lab:diagnostics',
      factory: ({ model }) =>
        isCodeCell(model) ? EditorExtensionRegistry.createImmutableExtension(marks(model.outputs)) : null
    });
  }
};
