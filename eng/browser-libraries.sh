#!/usr/bin/env bash
# Takes in the libraries that the page gives to browsers. blazor.web.js is a resource of ASP.NET Core's assemblies up to
# version 9; since 10 it is a package of its own, which not every package source holds. The server's protocol is the
# same: tests/Virga.EndToEnd/PageTests drives every page with it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
version=9.0.22
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/take.csproj" <<PROJECT
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework></PropertyGroup>
  <ItemGroup>
    <PackageDownload Include="Microsoft.AspNetCore.App.Runtime.linux-x64" Version="[$version]" />
  </ItemGroup>
</Project>
PROJECT
cat >"$work/Take.cs" <<'CODE'
using System.Reflection;
using var resource = Assembly.LoadFile(args[0]).GetManifestResourceStream("_framework/blazor.web.js")!;
using var file = File.Create(args[1]);
resource.CopyTo(file);
CODE
sed -i 's/^using System.Reflection;/using System.IO; using System.Reflection;/' "$work/Take.cs"
dotnet build "$work" -v q -o "$work/out"
packages=$(dotnet nuget locals global-packages --list | sed 's/^global-packages: //')
assemblies=$packages/microsoft.aspnetcore.app.runtime.linux-x64/$version/runtimes/linux-x64/lib/net9.0
dotnet "$work/out/take.dll" "$assemblies/Microsoft.AspNetCore.Components.Endpoints.dll" \
    "$PWD/src/Virga.Web/wwwroot/lib/blazor.web.js"
git diff --stat -- src/Virga.Web/wwwroot/lib
