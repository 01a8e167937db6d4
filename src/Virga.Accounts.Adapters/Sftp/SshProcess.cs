using System.Diagnostics;
using System.Globalization;
using System.IO.Pipes;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Virga.Core;

namespace Virga.Accounts.Adapters.Sftp;

/// <summary>
/// A running <c>ssh</c> that leads to a server's file transfer subsystem. It ends when its standard input does, however
/// this process ends. A password or passphrase goes to it by its environment, which only this user can read, and a
/// script that prints it: never by its arguments.
/// </summary>
internal sealed partial class SshProcess : IDisposable
{
    private const string SecretVariable = "VIRGA_SSH_SECRET";
    private const string AskScript = $"#!/bin/sh\nprintf '%s\\n' \"${SecretVariable}\"\n";
    private const int ErrorCharsMax = 8 << 10;
    // F_SETPIPE_SZ of Linux; what every user may have without privileges.
    private const int SetPipeSize = 1031, PipeBytes = 1 << 20;

    private readonly Process process;
    private readonly DirectoryInfo? scratch;
    private readonly Task<string> errors;

    private SshProcess(Process process, DirectoryInfo? scratch)
    {
        (this.process, this.scratch) = (process, scratch);
        Widen(Input);
        Widen(Output);
        errors = ReadErrorsAsync();
    }

    public Stream Input => process.StandardInput.BaseStream;

    public Stream Output => process.StandardOutput.BaseStream;

    public static SshProcess Start(SftpSettings settings, AdapterServices services)
    {
        var start = new ProcessStartInfo("ssh")
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        var scratch = settings.HostKey is null && settings.Secret is null
            ? null
            : Directory.CreateTempSubdirectory("virga-ssh-");
        try
        {
            SetArguments(start, settings, services, scratch);
            return new SshProcess(Process.Start(start)!, scratch);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            scratch?.Delete(recursive: true);
            throw new VirgaException(
                FailureKind.Unsupported, "there is no program 'ssh'", "Install OpenSSH's client (openssh-client).");
        }
        catch
        {
            scratch?.Delete(recursive: true);
            throw;
        }
    }

    /// <summary>Pipes hold 64 KiB unless they are told otherwise: longer ones wake both sides less often.</summary>
    private static void Widen(Stream stream)
    {
        if (OperatingSystem.IsLinux() && stream is PipeStream pipe)
            _ = FileControl(pipe.SafePipeHandle, SetPipeSize, PipeBytes);
    }

    [LibraryImport("libc", EntryPoint = "fcntl")]
    private static partial int FileControl(SafePipeHandle file, int command, int value);

    /// <summary>Waits for its end; what it said then.</summary>
    public Task<string> EndAsync() => errors;

    public void Dispose()
    {
        try
        {
            process.Kill();
        }
        catch (InvalidOperationException)
        {
        }
        process.Dispose();
        scratch?.Delete(recursive: true);
    }

    private static void SetArguments(
        ProcessStartInfo start, SftpSettings settings, AdapterServices services, DirectoryInfo? scratch)
    {
        void Option(string option)
        {
            start.ArgumentList.Add("-o");
            start.ArgumentList.Add(option);
        }
        Option("StrictHostKeyChecking=yes");
        Option("ClearAllForwardings=yes");
        Option("ForwardAgent=no");
        Option("ControlMaster=no");
        Option("ControlPath=none");
        Option("PermitLocalCommand=no");
        Option("ServerAliveInterval=10");
        Option("ServerAliveCountMax=3");
        Option("Compression=no");
        Option("NumberOfPasswordPrompts=1");
        // By far the fastest where the processor knows AES.
        Option("Ciphers=^aes128-gcm@openssh.com");
        var patience = Math.Max(1, (int)services.StallTimeout.TotalSeconds / 2);
        Option($"ConnectTimeout={patience.ToString(CultureInfo.InvariantCulture)}");
        if (settings.Key is { } key)
        {
            Option("IdentitiesOnly=yes");
            start.ArgumentList.Add("-i");
            start.ArgumentList.Add(key);
        }
        if (settings.HostKey is { } hostKey)
        {
            var known = Path.Combine(scratch!.FullName, "known_hosts");
            File.WriteAllText(known, $"* {hostKey}\n");
            Option($"UserKnownHostsFile={known}");
            Option("GlobalKnownHostsFile=/dev/null");
            Option($"HostKeyAlgorithms={Algorithms(hostKey.Split(' ')[0])}");
        }
        if (settings.Secret is { } secret)
        {
            if (settings.IsPassword) Option("PreferredAuthentications=keyboard-interactive,password");
            var ask = Path.Combine(scratch!.FullName, "ask");
            File.WriteAllText(ask, AskScript);
            if (!OperatingSystem.IsWindows())
                File.SetUnixFileMode(ask, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            start.Environment["SSH_ASKPASS"] = ask;
            start.Environment["SSH_ASKPASS_REQUIRE"] = "force";
            start.Environment[SecretVariable] = secret;
        }
        else Option("BatchMode=yes");
        if (settings.Port is { } port)
        {
            start.ArgumentList.Add("-p");
            start.ArgumentList.Add(port.ToString(CultureInfo.InvariantCulture));
        }
        if (settings.User is { } user)
        {
            start.ArgumentList.Add("-l");
            start.ArgumentList.Add(user);
        }
        start.ArgumentList.Add("-T");
        start.ArgumentList.Add("-s");
        start.ArgumentList.Add("--");
        start.ArgumentList.Add(settings.Host);
        start.ArgumentList.Add("sftp");
        // What it says is understood in English.
        start.Environment["LC_ALL"] = "C";
    }

    /// <summary>An RSA key signs with newer hashes than its name says.</summary>
    private static string Algorithms(string kind) =>
        kind == "ssh-rsa" ? "rsa-sha2-512,rsa-sha2-256" : kind;

    private async Task<string> ReadErrorsAsync()
    {
        var kept = new StringBuilder();
        var buffer = new char[1024];
        try
        {
            while (await process.StandardError.ReadAsync(buffer) is var count and > 0)
                if (kept.Length < ErrorCharsMax) kept.Append(buffer, 0, count);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
        }
        return kept.ToString();
    }
}
