/** The JupyterLab side of wasmhub-magics. */

import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { diagnosticsPlugin } from './diagnostics/plugin.js';
import { helpPlugin } from './help/plugin.js';
import { panelPlugin } from './hub/plugin.js';
import { languagesPlugin } from './languages/plugin.js';
import { notebooksPlugin } from './notebook/plugin.js';
import { toolbarPlugin } from './toolbar/plugin.js';

const plugins: JupyterFrontEndPlugin<unknown>[] = [
  languagesPlugin,
  diagnosticsPlugin,
  notebooksPlugin,
  toolbarPlugin,
  panelPlugin,
  helpPlugin
];

export default plugins;
