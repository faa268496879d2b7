/** The actions as commands of the application. */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';

import { templates } from '../help/templates.js';
import { LANGUAGES } from '../languages/magicLine.js';
import type { Bars } from '../toolbar/toolbar.js';
import type { INotebooks } from '../tokens.js';
import { ACTIONS, commandOf } from './actions.js';
import { captionOf, labelOf } from './labels.js';
import type { FilterPlace, Runner } from './runner.js';

/** What the commands work on. */
export interface Workplace {
  readonly notebooks: INotebooks;
  readonly runner: Runner;
  readonly bars: Bars;
  readonly trans: TranslationBundle;
}

export const NEW_FILTER = 'wasmhub:new-filter';
export const FOCUS_BAR = 'wasmhub:focus-bar';

/** A command as it stands in the palette. */
export interface PaletteItem {
  readonly command: string;
  readonly args: { readonly [name: string]: string };
}

/** Add all commands and name what belongs in the palette. */
export function addCommands(
  commands: CommandRegistry,
  { notebooks, runner, bars, trans }: Workplace
): PaletteItem[] {
  for (const action of ACTIONS) {
    commands.addCommand(commandOf(action), {
      label: labelOf(action, trans),
      caption: captionOf(action, trans),
      describedBy: { args: { type: 'object', properties: {} } },
      isEnabled: () => runner.active() !== null,
      execute: async () => {
        const place = runner.active();
        const model = place === null ? undefined : modelOf(place);
        if (place === null || model === undefined) {
          return;
        }
        bars.running(model, action);
        try {
          await runner.run(action, place);
        } finally {
          bars.running(model, null);
        }
      }
    });
  }
  commands.addCommand(FOCUS_BAR, {
    label: trans.__('Go to the buttons of the filter'),
    describedBy: { args: { type: 'object', properties: {} } },
    isEnabled: () => runner.active() !== null,
    execute: () => {
      const place = runner.active();
      const model = place === null ? undefined : modelOf(place);
      if (model !== undefined) {
        bars.focus(model);
      }
    }
  });
  commands.addCommand(NEW_FILTER, {
    label: args => {
      const title = LANGUAGES.find(each => each.name === args.language)?.title;
      return title === undefined ? trans.__('New filter') : trans.__('New filter in %1', title);
    },
    caption: trans.__('Write a cell with a first filter in it'),
    describedBy: {
      args: { type: 'object', properties: { language: { enum: LANGUAGES.map(each => each.name) } } }
    },
    isEnabled: () => notebooks.current !== null,
    execute: async args => {
      const panel = notebooks.current;
      const language = typeof args.language === 'string' ? args.language : 'python';
      const template = (await templates())[language];
      if (panel !== null && template !== undefined) {
        await runner.write(panel, template);
      }
    }
  });
  return [
    ...[...ACTIONS.map(commandOf), FOCUS_BAR].map(command => ({ command, args: {} })),
    ...LANGUAGES.map(each => ({ command: NEW_FILTER, args: { language: each.name } }))
  ];
}

function modelOf(place: FilterPlace): FilterPlace['panel']['content']['widgets'][number]['model'] | undefined {
  return place.panel.content.widgets[place.index]?.model;
}
