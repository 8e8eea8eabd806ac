//! The shape of the help: global options are folded into a short list, which `provisioner help options` explains.
//!
//! Pure.

use std::ffi::OsString;

use clap::{Arg, Args as _, Command};

use crate::context::Global;

/// Folds the global options of a program and appends them, as a list of names, to the help of every command.
pub(super) fn fold(program: Command) -> Command {
    let names: Vec<String> = program.get_arguments().filter(|arg| arg.is_global_set()).map(usage).collect();
    let list = format!("Global options: {}\n`provisioner help options` explains them.", names.join(", "));
    // Hidden from the help only: completions and manual pages still have them.
    let fold = |arg: Arg| if arg.is_global_set() { arg.hide_short_help(true).hide_long_help(true) } else { arg };
    append(program.mut_args(fold), &list)
}

fn usage(option: &Arg) -> String {
    let long = option.get_long().unwrap_or_default();
    let value = option.get_value_names().filter(|_| option.get_action().takes_values());
    value.and_then(<[_]>::first).map_or_else(|| format!("--{long}"), |value| format!("--{long} {value}"))
}

fn append(command: Command, list: &str) -> Command {
    let own = command.get_after_help().map(|help| format!("{help}\n\n")).unwrap_or_default();
    command.after_help(format!("{own}{list}")).mut_subcommands(|below| append(below, list))
}

/// Whether a command line is `help options`, with or without global options.
pub(super) fn wants_options(arguments: impl Iterator<Item = OsString>) -> bool {
    let without_environment = |arg: Arg| arg.env(clap::builder::Resettable::Reset);
    let words = Arg::new("words").num_args(..);
    let program = Global::augment_args(Command::new("provisioner")).mut_args(without_environment).arg(words);
    program
        .no_binary_name(true)
        .try_get_matches_from(arguments)
        .is_ok_and(|matches| matches.get_many::<String>("words").is_some_and(|words| words.eq(["help", "options"])))
}

/// The command whose help explains the global options.
pub(super) fn options() -> Command {
    Global::augment_args(Command::new("provisioner help options"))
        .about("Options that every command accepts, before or after its name")
        .disable_help_flag(true)
        .help_template("{about-with-newline}\n{all-args}")
        .max_term_width(110)
}
