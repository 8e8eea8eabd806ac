//! Parse, run, render, exit.

use std::process::ExitCode;
use std::sync::Arc;

use clap_complete::CompleteEnv;
use provisioner::cli::Cli;
use provisioner::core::event::Event;
use provisioner::error::{Error, Exit};
use provisioner::ui::{Events, Ui};

fn main() -> ExitCode {
    provisioner::environment::drop_empty_variables();
    CompleteEnv::with_factory(provisioner::cli::program).var(provisioner::commands::shell::VARIABLE).complete();
    let cli = Cli::read();
    let choice = match cli.global.color {
        clap::ColorChoice::Always => anstream::ColorChoice::Always,
        clap::ColorChoice::Never => anstream::ColorChoice::Never,
        clap::ColorChoice::Auto => anstream::ColorChoice::Auto,
    };
    choice.write_global();
    let ui = Arc::new(Ui::new(cli.global.output, cli.global.detail()));
    let events = Events::new(Arc::clone(&ui), cli.global.invocation());
    let exit = provisioner::crash::guard(&events, || run(cli, &ui, &events));
    ui.end();
    ExitCode::from(exit as u8)
}

fn run(cli: Cli, ui: &Arc<Ui>, events: &Events) -> Exit {
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let exit = events.report(Error::new("cannot start the runtime").because(&error));
            events.emit(Event::Result { ok: false, exit_code: exit as u8 });
            return exit;
        }
    };
    let exit = runtime.block_on(provisioner::run::run(cli, ui));
    // After Ctrl-C at a prompt, the thread that reads the answer is still blocked.
    runtime.shutdown_background();
    exit
}
