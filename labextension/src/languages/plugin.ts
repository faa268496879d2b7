/** Filter cells in the colours of their language. */

import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import {
  EditorExtensionRegistry,
  IEditorExtensionRegistry,
  IEditorLanguageRegistry
} from '@jupyterlab/codemirror';
import { ILSPCodeExtractorsManager } from '@jupyterlab/lsp';

import { isCodeCell } from '../cellModel.js';
import { bodiesKept } from './servers.js';
import { Supports } from './support.js';
import { switching } from './switching.js';

/** Gives each filter cell the language that its magic line names. */
export const languagesPlugin: JupyterFrontEndPlugin<void> = {
  id: 'wasmhub-magics-lab:languages',
  description: 'Highlighting, comments and indentation of filter cells, in the language of their body.',
  autoStart: true,
  requires: [IEditorExtensionRegistry, IEditorLanguageRegistry],
  optional: [ILSPCodeExtractorsManager],
  activate: (
    _app,
    extensions: IEditorExtensionRegistry,
    languages: IEditorLanguageRegistry,
    servers: ILSPCodeExtractorsManager | null
  ) => {
    servers?.register(bodiesKept, 'python');
    const supports = new Supports(async mime => (await languages.getLanguage(mime))?.support ?? null);
    extensions.addExtension({
      name: 'wasmhub-magics-lab:languages',
      factory: ({ model }) =>
        isCodeCell(model)
          ? EditorExtensionRegistry.createImmutableExtension(switching(model.sharedModel.getSource(), supports))
          : null
    });
  }
};
