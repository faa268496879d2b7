/** Help in filter cells: what the names of the API mean. */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { EditorExtensionRegistry, IEditorExtensionRegistry } from '@jupyterlab/codemirror';
import { ICompletionProviderManager } from '@jupyterlab/completer';
import { ISettingRegistry } from '@jupyterlab/settingregistry';

import { isCodeCell } from '../cellModel.js';
import { followSettings } from '../settings.js';
import { ApiCompletions } from './completion.js';
import { hover } from './hover.js';

const ID = 'wasmhub-magics-lab:help';

/** Explains host functions and the Python and C APIs, under the pointer and in completion. */
export const helpPlugin: JupyterFrontEndPlugin<void> = {
  id: ID,
  description: 'Completion and explanations of host functions and of the APIs for filters.',
  autoStart: true,
  requires: [IEditorExtensionRegistry],
  optional: [ICompletionProviderManager, ISettingRegistry],
  activate: (
    _app: JupyterFrontEnd,
    extensions: IEditorExtensionRegistry,
    completions: ICompletionProviderManager | null,
    registry: ISettingRegistry | null
  ) => {
    let wanted = true;
    completions?.registerProvider(new ApiCompletions());
    extensions.addExtension({
      name: ID,
      factory: ({ model }) =>
        isCodeCell(model) ? EditorExtensionRegistry.createImmutableExtension(hover(() => wanted)) : null
    });
    void followSettings(registry, ID, settings => {
      wanted = settings.get('hover').composite !== false;
    });
  }
};
