/** Files that the page itself gives to the browser to be saved. */

/**
 * Offer a text as a download.
 *
 * @param name of the file.
 * @param text its content.
 * @param type its media type.
 */
export function download(name: string, text: string, type: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
