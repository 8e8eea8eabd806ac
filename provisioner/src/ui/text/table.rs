//! Tables: columns with headers, aligned by the width that characters have on a terminal.
//!
//! Invariant: cells are escaped before they are measured, so text from outside cannot move a column.

use comfy_table::{CellAlignment, ColumnConstraint, Table, Width, presets};

use super::words::{FAINT, NL, escape};

/// A column: its header and its alignment.
#[derive(Clone, Copy)]
pub(super) enum Column {
    Left(&'static str),
    Right(&'static str),
}

/// Rows below a header. Columns that are empty in every row are left out.
pub(super) fn table(columns: &[Column], rows: &[Vec<String>]) -> String {
    let used: Vec<usize> = (0..columns.len())
        .filter(|at| rows.iter().any(|row| row.get(*at).is_some_and(|cell| !cell.is_empty())))
        .collect();
    let mut table = plain();
    table.set_header(used.iter().map(|at| match columns[*at] {
        Column::Left(name) | Column::Right(name) => name,
    }));
    for row in rows {
        table.add_row(used.iter().map(|at| row.get(*at).map(|cell| escape(cell)).unwrap_or_default()));
    }
    for (column, at) in table.column_iter_mut().zip(&used) {
        column.set_padding((0, 2));
        if matches!(columns[*at], Column::Right(_)) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut lines = table.lines().map(|line| line.trim_end().to_owned());
    let header = lines.next().map(|header| format!("{FAINT}{header}{FAINT:#}"));
    header.into_iter().chain(lines).collect::<Vec<_>>().join(&NL.to_string())
}

/// A single line whose cells have at least these widths, for output that never ends.
pub(super) fn line(cells: &[(String, u16)]) -> String {
    let mut table = plain();
    table.add_row(cells.iter().map(|(cell, _)| escape(cell)));
    for (column, (_, width)) in table.column_iter_mut().zip(cells) {
        column.set_padding((0, 2)).set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(width + 2)));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

fn plain() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

#[cfg(test)]
mod tests {
    use super::super::words::paint;
    use super::*;

    #[track_caller]
    fn check(rows: &[[&str; 3]], expected: &[&str]) {
        let rows: Vec<Vec<String>> = rows.iter().map(|row| row.map(ToOwned::to_owned).to_vec()).collect();
        let text = table(&[Column::Left("NAME"), Column::Right("COUNT"), Column::Left("NOTE")], &rows);
        let plain = anstream::adapter::strip_str(&paint(&text)).to_string();
        assert_eq!(plain.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn columns_are_aligned_by_width() {
        check(&[["a", "1", "x"], ["写真", "20", ""]], &["NAME  COUNT  NOTE", "a         1  x", "写真     20"]);
    }

    #[test]
    fn empty_columns_are_left_out() {
        check(&[["a", "", "x"]], &["NAME  NOTE", "a     x"]);
        check(&[], &[""; 0]);
    }

    #[test]
    fn hostile_cells_stay_in_their_cell() {
        check(&[["a\n\u{1b}[2J", "1", ""]], &["NAME             COUNT", "a\\u{a}\\u{1b}[2J      1"]);
    }

    #[test]
    fn cells_of_a_line_have_a_minimum_width() {
        assert_eq!(line(&[("a".into(), 3), ("longer".into(), 2), ("z".into(), 0)]), "a    longer  z");
    }
}
