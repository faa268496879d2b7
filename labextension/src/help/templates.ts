/** A first filter in each language, as a whole cell. The tests build each and send a request through it. */
export async function templates(): Promise<{ readonly [language: string]: string | undefined }> {
  return (await import('./templates.json', { with: { type: 'json' } })).default;
}
