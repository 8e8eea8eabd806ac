//! `provisioner completions` and `provisioner man`

use std::fs;
use std::path::PathBuf;

use clap_complete::env::Shells;

use crate::core::event::Event;
use crate::error::{Error, Exit, Result};
use crate::ui::Events;

/// Print a completion script for a shell
///
/// The script asks this program for completions, so that it also offers regions, parameters, profiles, and stacks.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  provisioner completions bash > ~/.local/share/bash-completion/completions/provisioner\n  provisioner completions fish > ~/.config/fish/completions/provisioner.fish\n  provisioner completions zsh > ~/.zfunc/_provisioner  # with `fpath+=~/.zfunc` before `compinit`"
)]
pub struct Completions {
    /// Shell to print the script for
    pub shell: clap_complete::Shell,
}

/// Print the manual page of the program or of a command
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  provisioner man up | man -l -\n  provisioner man --folder ~/.local/share/man/man1"
)]
pub struct Man {
    /// Command, for example `up` or `local start`
    #[arg(value_name = "COMMAND")]
    pub command: Vec<String>,
    /// Write the pages of all commands to this folder instead
    #[arg(long, value_name = "FOLDER", conflicts_with = "command")]
    pub folder: Option<PathBuf>,
}

/// The environment variable by which a completion script asks for completions.
pub const VARIABLE: &str = "PROVISIONER_COMPLETE";

const NAME: &str = "provisioner";

/// Runs `completions`.
pub fn completions(args: &Completions, events: &Events) -> Result<()> {
    let shells = Shells::builtins();
    let shell = args.shell.to_string();
    let mut text = Vec::new();
    shells
        .completer(&shell)
        .ok_or_else(|| Error::new(format!("there is no completion script for `{shell}`")))?
        .write_registration(VARIABLE, NAME, NAME, NAME, &mut text)
        .map_err(|error| Error::new("cannot write the completion script").because(&error))?;
    if args.shell == clap_complete::Shell::Zsh {
        for (from, to) in ZSH {
            text = String::from_utf8_lossy(&text).replace(from, to).into_bytes();
        }
    }
    print(text, events)
}

/// What the engine's script for zsh lacks: a space after `NAME=` would separate the value from it, and a file in `fpath`
/// must complete the line for which it was loaded.
const ZSH: [(&str, &str); 4] = [
    ("local -a other=()", "local -a names=() other=()"),
    (
        "            else\n                other+=",
        "            elif [[ \"$value\" == *= ]]; then\n                names+=(\"$completion\")\n            else\n                other+=",
    ),
    ("[[ -n $other ]] &&", "[[ -n $names ]] && _describe -V 'values' names -S ''\n        [[ -n $other ]] &&"),
    (
        "compdef _clap_dynamic_completer_provisioner provisioner\n",
        "if [[ \"${funcstack[1]}\" == _provisioner ]]; then\n    _clap_dynamic_completer_provisioner \"$@\"\nelse\n    \
         compdef _clap_dynamic_completer_provisioner provisioner\nfi\n",
    ),
];

/// Runs `man`.
pub fn man(args: &Man, mut program: clap::Command, events: &Events) -> Result<()> {
    program.build();
    let pages = pages(&program, NAME)?;
    if let Some(folder) = &args.folder {
        let cannot =
            |error: std::io::Error| Error::new(format!("cannot write to `{}`", folder.display())).because(&error);
        fs::create_dir_all(folder).map_err(cannot)?;
        for (name, page) in pages {
            fs::write(folder.join(format!("{name}.1")), page).map_err(cannot)?;
        }
        return Ok(());
    }
    let wanted = [&[NAME.to_owned()], args.command.as_slice()].concat().join("-");
    match pages.into_iter().find(|(name, _)| *name == wanted) {
        Some((_, page)) => print(page, events),
        None => Err(Error::new(format!("there is no command `{}`", args.command.join(" ")))
            .exit(Exit::Usage)
            .hint("name a command as in `provisioner --help`")),
    }
}

/// The pages of a command and of all commands below it, by name.
fn pages(command: &clap::Command, name: &str) -> Result<Vec<(String, Vec<u8>)>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone())
        .render(&mut page)
        .map_err(|error| Error::new("cannot render the manual page").because(&error))?;
    page.extend_from_slice(SECTIONS.as_bytes());
    let mut pages = vec![(name.to_owned(), page)];
    for below in command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help") {
        pages.extend(self::pages(below, &format!("{name}-{}", below.get_name()))?);
    }
    Ok(pages)
}

/// What clap does not know.
const SECTIONS: &str = r".SH ENVIRONMENT
Every global option has a variable of its own: \fBPROVISIONER_STACK\fR, \fBPROVISIONER_REGION\fR, and so on. An empty
variable counts as unset.
.TP
\fBAWS_PROFILE\fR, \fBAWS_REGION\fR, \fBAWS_ENDPOINT_URL\fR, \fBAWS_CA_BUNDLE\fR, \fBHTTPS_PROXY\fR
as in other tools.
.TP
\fBPROVISIONER_LOCAL_DIR\fR, \fBPROVISIONER_LOCAL_PORT\fR
the folder and the port of the local cloud.
.TP
\fBNO_COLOR\fR
no colors, as with \fB\-\-color never\fR, and plain lines.
.TP
\fBTERM=dumb\fR, \fBCI\fR
plain lines instead of lines that change.
.SH FILES
.TP
\fI~/.aws/config\fR, \fI~/.aws/credentials\fR
profiles, regions, and credentials.
.TP
\fI~/.aws/cli/cache\fR
credentials of a profile with MFA, shared with the AWS CLI.
";

fn print(text: Vec<u8>, events: &Events) -> Result<()> {
    let text = String::from_utf8(text).map_err(|error| Error::new("the text is not UTF-8").because(&error))?;
    events.emit(Event::Document { text });
    Ok(())
}
