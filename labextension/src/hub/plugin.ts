/** The panel "WebAssembly Hub" in the side bar. */

import { ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { NEW_FILTER } from '../actions/commands.js';
import { followSettings } from '../settings.js';
import { INotebooks, IRunner } from '../tokens.js';
import { Hub } from './hub.js';
import { hubIcon } from './icon.js';
import { HubPanel } from './views/panel.js';

const ID = 'wasmhub-magics-lab:panel';
const SHOW = 'wasmhub:panel';
const REFRESH_SECONDS = 2;

/** Adds the panel, and the command that shows it. */
export const panelPlugin: JupyterFrontEndPlugin<void> = {
  id: ID,
  description: 'Filters of the notebook, images and deployments in the side bar.',
  autoStart: true,
  requires: [INotebooks, IRunner, IRenderMimeRegistry],
  optional: [ITranslator, ISettingRegistry, ICommandPalette, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    notebooks: INotebooks,
    runner: IRunner,
    rendermime: IRenderMimeRegistry,
    translator: ITranslator | null,
    registry: ISettingRegistry | null,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null
  ) => {
    const trans = (translator ?? nullTranslator).load('wasmhub_magics');
    let seconds = REFRESH_SECONDS;
    const hub = new Hub(notebooks, runner, () => seconds * 1000);
    const panel = new HubPanel(hub, {
      trans,
      rendermime,
      goTo: index => void goTo(notebooks, index),
      newFilter: () => void app.commands.execute(NEW_FILTER),
      newNotebook: () => void app.commands.execute('notebook:create-new', { activate: true }),
      pull: line => void (notebooks.current !== null && runner.pull(notebooks.current, line)),
      insert: line => void (notebooks.current !== null && runner.runBelow(notebooks.current, line))
    });
    panel.id = 'wasmhub-panel';
    panel.title.icon = hubIcon;
    panel.title.caption = trans.__('WebAssembly Hub');
    panel.node.setAttribute('role', 'region');
    panel.node.setAttribute('aria-label', trans.__('WebAssembly Hub'));
    app.shell.add(panel, 'left', { rank: 650 });
    restorer?.add(panel, panel.id);
    app.commands.addCommand(SHOW, {
      label: trans.__('Show WebAssembly Hub'),
      icon: hubIcon,
      describedBy: { args: { type: 'object', properties: {} } },
      execute: () => app.shell.activateById(panel.id)
    });
    palette?.addItem({ command: SHOW, category: trans.__('WebAssembly Hub') });
    void followSettings(registry, ID, settings => {
      const given = settings.get('refresh').composite;
      seconds = typeof given === 'number' ? given : REFRESH_SECONDS;
    });
  }
};

async function goTo(notebooks: INotebooks, index: number): Promise<void> {
  const content = notebooks.current?.content;
  if (content !== undefined) {
    content.activeCellIndex = index;
    await content.scrollToItem(index, 'auto');
    content.activate();
  }
}
