/** Settings of a plugin. */

import type { ISettingRegistry } from '@jupyterlab/settingregistry';

/** Read a plugin's settings now and whenever they change; where they cannot be had, the defaults hold. */
export async function followSettings(
  registry: ISettingRegistry | null,
  plugin: string,
  read: (settings: ISettingRegistry.ISettings) => void
): Promise<void> {
  try {
    const settings = await registry?.load(plugin);
    if (settings !== undefined) {
      read(settings);
      settings.changed.connect(read);
    }
  } catch (error) {
    console.warn('The settings of wasmhub-magics cannot be read.', error);
  }
}
