using System.CommandLine;

namespace Virga.Cli.Commands;

/// <summary><c>virga completion SHELL</c>, and the hidden command that the scripts call at each tab.</summary>
internal static class CompletionCommand
{
    private const string AnswerName = "__complete";

    public static Command Create(GlobalOptions options)
    {
        var shell = new Argument<string>("SHELL") { HelpName = "bash|zsh|fish", Description = "which shell" };
        shell.AcceptOnlyFromAmong("bash", "zsh", "fish");
        var verb = new Verb("completion", "prints a script that teaches a shell to complete virga's commands")
        {
            Examples =
            {
                "source <(virga completion bash)",
                "virga completion bash > ~/.local/share/bash-completion/completions/virga",
                "virga completion zsh > \"${fpath[1]}/_virga\"",
                "virga completion fish > ~/.config/fish/completions/virga.fish",
            },
            Notes =
            {
                "Commands, options, and what the running agent knows are completed: accounts and folders in them, "
                + "transfers, shares.",
            },
        };
        verb.Add(shell);
        verb.Run(options, (run, _) =>
        {
            run.Terminal.Out.Write(
                run.Parsed.GetRequiredValue(shell) switch { "bash" => Bash, "zsh" => Zsh, _ => Fish });
            return Task.FromResult(ExitCode.Ok);
        });
        return verb;
    }

    public static Command CreateAnswer(GlobalOptions options)
    {
        var line = new Argument<string>("LINE") { Description = "the command line up to the cursor" };
        var verb = new Verb(AnswerName, "answers the completion scripts")
        {
            Hidden = true, Examples = { "virga __complete 'virga acc'" },
        };
        verb.Add(line);
        verb.Run(options, async (run, cancellationToken) =>
        {
            var completions = new Completions(options);
            foreach (var word in await completions.AnswerAsync(run.Parsed.GetRequiredValue(line), cancellationToken))
                run.Print(word);
            return ExitCode.Ok;
        });
        return verb;
    }

    // Bash breaks words at ':', so what stands before it on the line must not come again.
    private const string Bash = """
        _virga() {
            local line=${COMP_LINE:0:COMP_POINT} word before reply
            COMPREPLY=()
            word=${line##* }
            [[ $word == *:* ]] && before=${word%"${word##*:}"} || before=
            while IFS= read -r reply; do
                COMPREPLY+=("${reply#"$before"}")
            done < <("${COMP_WORDS[0]}" __complete "$line" 2>/dev/null)
            [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[:/] ]] && compopt -o nospace 2>/dev/null
            return 0
        }
        complete -F _virga virga ./virga

        """;

    private const string Zsh = """
        #compdef virga
        _virga() {
            local -a open closed
            local reply
            for reply in "${(@f)$("${words[1]}" __complete "${(j: :)words[1,CURRENT]}" 2>/dev/null)}"; do
                [[ -z $reply ]] && continue
                [[ $reply == *[:/] ]] && open+=("$reply") || closed+=("$reply")
            done
            (( $#open )) && compadd -S '' -- "${open[@]}"
            (( $#closed )) && compadd -- "${closed[@]}"
        }
        if [[ $funcstack[1] == _virga ]]; then _virga "$@"; else compdef _virga virga; fi

        """;

    private const string Fish = """
        function __virga_complete
            set -l line (commandline -cp)
            set -l words (commandline -opc)
            $words[1] __complete "$line" 2>/dev/null
        end
        complete -c virga -f -a '(__virga_complete)'

        """;
}
