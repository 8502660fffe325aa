//! Figures for people and for programs.

use crate::cells::Column;
use crate::stopwatch::Cell;
use serde_json::{Value, json};
use std::time::Duration;

/// Prints a row for each kind of event and a column for each number of tunnels; µs each.
pub(crate) fn print_table(columns: &[Column], limit: Duration) {
    let mut labels: Vec<&str> = Vec::new();
    for (label, _) in columns.iter().flat_map(|column| &column.rows) {
        if !labels.contains(label) {
            labels.push(label);
        }
    }
    print!("{:<48}", "µs, median");
    columns
        .iter()
        .for_each(|column| print!(" {:>11}", format!("{} {}", column.size, column.remote)));
    println!();
    for label in labels {
        print!("{label:<48}");
        for column in columns {
            let cell = column.rows.iter().find(|(known, _)| *known == label);
            let cell = cell.map_or(Cell::LeftOut, |(_, cell)| *cell);
            print!(" {:>11}", shown(cell, limit));
        }
        println!();
    }
}

fn shown(cell: Cell, limit: Duration) -> String {
    match cell {
        Cell::Took(took) => micros(took.median),
        Cell::OverLimit => format!("> {} s", limit.as_secs_f64()),
        Cell::LeftOut => "-".to_owned(),
    }
}

fn micros(duration: Duration) -> String {
    let micros = duration.as_secs_f64() * 1e6;
    match micros {
        small if small < 10.0 => format!("{small:.2}"),
        middle if middle < 1_000.0 => format!("{middle:.1}"),
        large => format!("{large:.0}"),
    }
}

/// Prints one object for each cell.
pub(crate) fn print_json(columns: &[Column]) {
    let cells: Vec<Value> = columns
        .iter()
        .flat_map(|column| {
            column.rows.iter().map(move |(label, cell)| object(column, label, *cell))
        })
        .collect();
    println!("{}", Value::Array(cells));
}

fn object(column: &Column, label: &str, cell: Cell) -> Value {
    let (tunnels, remote) = (column.size, column.remote.to_string());
    match cell {
        Cell::Took(took) => json!({
            "event": label, "tunnels": tunnels, "remote": remote,
            "median_us": micros_number(took.median), "mean_us": micros_number(took.mean),
            "worst_us": micros_number(took.worst), "measurements": took.count,
        }),
        Cell::OverLimit | Cell::LeftOut => json!({
            "event": label, "tunnels": tunnels, "remote": remote, "over_limit": true,
        }),
    }
}

fn micros_number(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
