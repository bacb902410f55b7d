/* QR codes as shapes. */
import encodeQR from 'qr';

/** Light modules on each side: what cameras need to find the code (ISO/IEC 18004 section 6.3.8). */
export const QUIET_ZONE = 4;

/** Rows of modules, dark ones `true`, with the quiet zone around them; `null` when `text` is too long for a code. */
export function modules(text: string): boolean[][] | null {
  try {
    return encodeQR(text, 'raw', { ecc: 'medium', border: QUIET_ZONE });
  } catch {
    return null;
  }
}

/** The dark modules as the data of an SVG path, one unit a module: a rectangle for each run of a row. */
export function outline(rows: readonly (readonly boolean[])[]): string {
  let path = '';
  rows.forEach((row, y) => {
    for (let x = 0; x < row.length; x++) {
      if (!row[x]) continue;
      const from = x;
      while (row[x + 1]) x++;
      const width = x + 1 - from;
      path += `M${from} ${y}h${width}v1h-${width}z`;
    }
  });
  return path;
}
