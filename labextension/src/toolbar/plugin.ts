/** Buttons above filter cells, and the same as commands with shortcuts. */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, ISessionContextDialogs } from '@jupyterlab/apputils';
import { EditorExtensionRegistry, IEditorExtensionRegistry } from '@jupyterlab/codemirror';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { addCommands } from '../actions/commands.js';
import { Runner } from '../actions/runner.js';
import { isCodeCell } from '../cellModel.js';
import { followSettings } from '../settings.js';
import { INotebooks, IRunner } from '../tokens.js';
import { Bars, toolbar } from './toolbar.js';

const ID = 'wasmhub-magics-lab:toolbar';

/** Adds the bar and the commands. */
export const toolbarPlugin: JupyterFrontEndPlugin<IRunner> = {
  id: ID,
  description: 'Build, send, test, bench, verify, push and deploy above filter cells and in the command palette.',
  autoStart: true,
  requires: [INotebooks, IEditorExtensionRegistry],
  optional: [ITranslator, ISettingRegistry, ICommandPalette, ISessionContextDialogs],
  provides: IRunner,
  activate: (
    app: JupyterFrontEnd,
    notebooks: INotebooks,
    extensions: IEditorExtensionRegistry,
    translator: ITranslator | null,
    registry: ISettingRegistry | null,
    palette: ICommandPalette | null,
    dialogs: ISessionContextDialogs | null
  ) => {
    const spoken = translator ?? nullTranslator;
    const trans = spoken.load('wasmhub_magics');
    const runner = new Runner(notebooks, spoken, dialogs);
    const bars = new Bars();
    let wanted = true;
    const added = addCommands(app.commands, { notebooks, runner, bars, trans });
    for (const item of added) {
      palette?.addItem({ ...item, category: trans.__('WebAssembly Hub') });
    }
    extensions.addExtension({
      name: ID,
      factory: ({ model }) =>
        isCodeCell(model)
          ? EditorExtensionRegistry.createImmutableExtension(
              toolbar(model, { notebooks, runner, trans, wanted: () => wanted }, bars)
            )
          : null
    });
    void followSettings(registry, ID, settings => {
      wanted = settings.get('toolbar').composite !== false;
      bars.refresh();
    });
    return runner;
  }
};
