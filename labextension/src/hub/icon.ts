/** The icon of the panel. */

import { LabIcon } from '@jupyterlab/ui-components';

export const hubIcon = new LabIcon({
  name: 'wasmhub-magics-lab:hub',
  svgstr:
    '<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24"><path class="jp-icon3" fill="#616161" ' +
    'd="M12 2l8.7 5v10L12 22l-8.7-5V7zm0 2.3L5.3 8.2v7.6l6.7 3.9 6.7-3.9V8.2zM8 9h1.7l1 4.2L12 9.4l1.3 3.8 ' +
    '1-4.2H16l-1.8 6.4h-1.5L12 13l-.7 2.4H9.8z"/></svg>'
});
