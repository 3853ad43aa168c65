//! The results as pictures, for light and for dark pages.

use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::results::Results;
use super::table::micros;
use crate::Result;

/// Colours of one kind of page; the ground is left as it is.
struct Theme {
    name: &'static str,
    text: RGBColor,
    faint: RGBColor,
    band: RGBColor,
    peer: RGBColor,
    ours: RGBColor,
}

const THEMES: [Theme; 2] = [
    Theme {
        name: "light",
        text: RGBColor(31, 35, 40),
        faint: RGBColor(208, 215, 222),
        band: RGBColor(246, 248, 250),
        peer: RGBColor(110, 119, 129),
        ours: RGBColor(9, 105, 218),
    },
    Theme {
        name: "dark",
        text: RGBColor(230, 237, 243),
        faint: RGBColor(61, 68, 77),
        band: RGBColor(21, 27, 35),
        peer: RGBColor(145, 152, 161),
        ours: RGBColor(88, 166, 255),
    },
];

/// One figure of one server. Without one, it is not finite.
pub struct Dot {
    pub name: String,
    pub ours: bool,
    pub value: f64,
    pub label: String,
}

/// One part of a picture: a figure of every server.
pub struct Panel {
    pub title: String,
    pub dots: Vec<Dot>,
}

/// A row's height, and the width that names and panels have.
const ROW: i32 = 20;
const NAMES: i32 = 250;
const PANEL: i32 = 220;
/// Above the rows for the title, below them for the scale.
const HEAD: i32 = 34;
const FOOT: i32 = 34;

/// Draws every picture for every kind of page into this folder.
pub fn draw(results: &Results, folder: &Path) -> Result {
    let cells = results.cells.iter().map(|cell| Panel {
        title: cell.name.clone(),
        dots: (cell.contenders.iter())
            .map(|measured| Dot {
                name: measured.name.clone(),
                ours: measured.ours,
                value: measured.lowest() / 1e3,
                label: micros(measured.lowest()),
            })
            .collect(),
    });
    let cells: Vec<_> = cells.collect();
    let memory = Panel {
        title: "KiB a connection, idle".into(),
        dots: (results.memory.iter())
            .map(|memory| Dot {
                name: memory.name.clone(),
                ours: memory.ours,
                value: memory.echoed / 1024.0,
                label: format!("{:.2}", memory.echoed / 1024.0),
            })
            .collect(),
    };
    let foot = format!("{}. {}", results.machine.line(), results.machine.versions_line());
    let title = "Echo over loopback: server CPU time a message in µs (connections × octets, d messages in flight; logarithmic)";
    page(folder, "echo", title, &foot, &cells, 4)?;
    if !memory.dots.is_empty() {
        page(folder, "memory", "Resident memory of the server", &foot, &[memory], 1)?;
    }
    Ok(())
}

/// Draws `NAME-light.svg` and `NAME-dark.svg` into this folder: so many panels in a row.
pub fn page(folder: &Path, name: &str, title: &str, foot: &str, panels: &[Panel], columns: usize) -> Result {
    THEMES.iter().try_for_each(|theme| {
        let path = folder.join(format!("{name}-{}.svg", theme.name));
        draw_panels(&path, title, foot, panels, columns, theme)
    })
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// Panels side by side, so many in a row; the names of the servers stand left of them.
fn draw_panels(
    path: &Path,
    title: &str,
    foot: &str,
    panels: &[Panel],
    columns: usize,
    theme: &Theme,
) -> Result {
    let Some(first) = panels.first() else { return Ok(()) };
    // One panel alone may be wider.
    let width = if panels.len() == 1 { PANEL * 2 } else { PANEL };
    let rows = first.dots.len() as i32;
    let height = HEAD + rows * ROW + FOOT;
    let lines = wrap(foot, (NAMES + width * columns as i32) as usize / 6);
    let total = (
        (NAMES + width * columns as i32 + 10) as u32,
        (30 + height * panels.len().div_ceil(columns) as i32 + 16 * lines.len() as i32 + 6) as u32,
    );
    let area = SVGBackend::new(path, total).into_drawing_area();
    write(&area, title, (10, 16), 17, &theme.text, HPos::Left, true)?;
    for (index, panel) in panels.iter().enumerate() {
        let (column, line) = (index % columns, index / columns);
        let top = 30 + height * line as i32;
        if column == 0 {
            draw_names(&area, panel, top + HEAD, total.0 as i32, theme)?;
        }
        draw_panel(&area, panel, (NAMES + width * column as i32, top), width, theme)?;
    }
    for (index, line) in lines.iter().enumerate() {
        let y = total.1 as i32 - 16 * (lines.len() - index) as i32;
        write(&area, line, (10, y), 11, &theme.peer, HPos::Left, false)?;
    }
    Ok(area.present()?)
}

fn draw_names(area: &Area<'_>, panel: &Panel, top: i32, right: i32, theme: &Theme) -> Result {
    for (row, dot) in panel.dots.iter().enumerate() {
        let y = top + row as i32 * ROW;
        if row % 2 == 0 {
            area.draw(&Rectangle::new([(6, y), (right - 6, y + ROW)], theme.band.filled()))?;
        }
        let colour = if dot.ours { &theme.ours } else { &theme.text };
        write(area, &dot.name, (NAMES - 12, y + ROW / 2), 13, colour, HPos::Right, dot.ours)?;
    }
    Ok(())
}

/// A dot for each server on a scale of its own, logarithmic, with its figure beside it.
fn draw_panel(area: &Area<'_>, panel: &Panel, (left, top): (i32, i32), width: i32, theme: &Theme) -> Result {
    let values = || panel.dots.iter().map(|dot| dot.value).filter(|value| value.is_finite());
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
    // At least a factor of three, so that little differences look little.
    let low = low.min(high / 3.0) * 0.9;
    let (inner, bottom) = (f64::from(width - 70), top + HEAD + panel.dots.len() as i32 * ROW);
    let x = |value: f64| left + 6 + ((value / low).ln() / (high / low).ln() * inner) as i32;
    write(area, &panel.title, (left + 6, top + HEAD - 12), 14, &theme.text, HPos::Left, true)?;
    for tick in ticks(low, high) {
        area.draw(&PathElement::new([(x(tick), top + HEAD), (x(tick), bottom)], theme.faint))?;
        write(area, &format!("{tick}"), (x(tick), bottom + 9), 11, &theme.peer, HPos::Center, false)?;
    }
    // Who failed has no figure.
    for (row, dot) in panel.dots.iter().enumerate().filter(|(_, dot)| dot.value.is_finite()) {
        let (x, y) = (x(dot.value), top + HEAD + row as i32 * ROW + ROW / 2);
        let colour = if dot.ours { &theme.ours } else { &theme.peer };
        let size = if dot.ours { 5 } else { 4 };
        area.draw(&PathElement::new([(left + 6, y), (x, y)], colour.mix(0.6).stroke_width(2)))?;
        area.draw(&Circle::new((x, y), size, colour.filled()))?;
        write(
            area,
            &dot.label,
            (x + 9, y),
            12,
            if dot.ours { colour } else { &theme.text },
            HPos::Left,
            dot.ours,
        )?;
    }
    Ok(())
}

/// Round figures between the two, not too many.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let steps: &[f64] = match high / low {
        30.0.. => &[1.0],
        5.0.. => &[1.0, 2.0, 5.0],
        _ => &[1.0, 2.0, 3.0, 5.0, 7.0],
    };
    let all = (-3..5).flat_map(|power| steps.iter().map(move |step| format!("{step}e{power}")));
    all.filter_map(|tick| tick.parse().ok()).filter(|tick| (low..=high * 1.05).contains(tick)).collect()
}

fn write(
    area: &Area<'_>,
    text: &str,
    at: (i32, i32),
    size: u32,
    colour: &RGBColor,
    side: HPos,
    bold: bool,
) -> Result {
    let weight = if bold { FontStyle::Bold } else { FontStyle::Normal };
    let style = TextStyle::from(("sans-serif", size, weight).into_font());
    let style = style.color(colour).pos(Pos::new(side, VPos::Center));
    Ok(area.draw_text(text, &style, at)?)
}

/// The text in lines of about so many characters.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + word.chars().count() < width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.into()),
        }
    }
    lines
}
