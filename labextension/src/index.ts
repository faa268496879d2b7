/** The JupyterLab side of wasmhub-magics. */

import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { diagnosticsPlugin } from './diagnostics/plugin.js';
import { languagesPlugin } from './languages/plugin.js';

const plugins: JupyterFrontEndPlugin<void>[] = [languagesPlugin, diagnosticsPlugin];

export default plugins;
