/** A first filter in each language, as a whole cell. The tests build each and send a request through it. */

import templates from './templates.json' with { type: 'json' };

export const TEMPLATES: { readonly [language: string]: string | undefined } = templates;
