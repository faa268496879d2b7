/** What to say where the kernel's package and this extension are of different versions. */

import type { TranslationBundle } from '@jupyterlab/translation';

import { VERSION } from '../version.js';
import type { Link } from './link.js';

/** The notice for a link; empty where both sides are of one version, or the kernel has not said which it is. */
export function mismatchOf(link: Link | null, trans: TranslationBundle): string {
  if (link === null || (link.state !== 'foreign' && (link.state !== 'ready' || link.version === VERSION))) {
    return '';
  }
  return trans.__(
    'The kernel has wasmhub-magics %1, JupyterLab has %2. Install the same version for both, restart the kernel and reload the page.',
    link.version,
    VERSION
  );
}
