//! Columns that line up, whatever the script of their text.

use unicode_width::UnicodeWidthStr as _;

/// Two spaces between columns.
const GAP: usize = 2;

/// `rows` under `head`, each line without its end and without blanks at its end.
pub fn table<const COLUMNS: usize>(head: [&str; COLUMNS], rows: &[[String; COLUMNS]]) -> Vec<String> {
    let head = head.map(str::to_owned);
    let mut widths = [0; COLUMNS];
    for row in std::iter::once(&head).chain(rows) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    std::iter::once(&head).chain(rows).map(|row| line(row, &widths)).collect()
}

/// Names and values, the values lined up.
pub fn pairs(rows: &[(&str, String)]) -> Vec<String> {
    let width = rows.iter().map(|(name, _)| name.width()).max().unwrap_or_default();
    rows.iter().map(|(name, value)| line(&[(*name).to_owned(), value.clone()], &[width, 0])).collect()
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        line.push_str(cell);
        line.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.width()) + GAP));
    }
    line.truncate(line.trim_end().len());
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_under_wide_letters_too() {
        let rows = [["東京".to_owned(), "x".to_owned()], ["a".to_owned(), "yy".to_owned()]];
        assert_eq!(table(["L", "M"], &rows), ["L     M", "東京  x", "a     yy"]);
    }

    #[test]
    fn an_empty_last_cell_leaves_no_blanks() {
        assert_eq!(table(["LABEL", "NOTE"], &[["a".to_owned(), String::new()]])[1], "a");
    }
}
