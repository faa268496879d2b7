/** Escape leads from a widget in an output back to its cell, as it does from the cell's source. */

import type { INotebookTracker } from '@jupyterlab/notebook';

/** Listen for Escape in the outputs of the tester. */
export function leaveOutputs(tracker: INotebookTracker): void {
  const leave = ({ key, target }: KeyboardEvent): void => {
    if (key !== 'Escape' || !(target instanceof Element) || target.closest('.wht') === null) {
      return;
    }
    const content = tracker.find(({ node }) => node.contains(target))?.content;
    const index = content?.widgets.findIndex(({ node }) => node.contains(target)) ?? -1;
    if (content !== undefined && index >= 0) {
      content.activeCellIndex = index;
      content.mode = 'command';
      content.widgets[index]?.node.focus({ preventScroll: true }); // the notebook leaves it in the output
    }
  };
  document.addEventListener('keydown', leave, true); // widgets keep keys to themselves
}
