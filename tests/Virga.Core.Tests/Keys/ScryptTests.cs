using System.Text;
using Virga.Core.Keys;

namespace Virga.Core.Tests.Keys;

public sealed class ScryptTests
{
    [Theory]
    [InlineData("", "", 4, 1, 1, "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
        + "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906")]
    [InlineData("password", "NaCl", 10, 8, 16, "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
        + "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640")]
    [InlineData("pleaseletmein", "SodiumChloride", 14, 8, 1,
        "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
        + "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887")]
    public void The_vectors_of_RFC_7914_hold(
        string passphrase, string salt, int work, int blockSize, int parallel, string expected)
    {
        var key = new byte[64];
        Scrypt.Derive(
            Encoding.ASCII.GetBytes(passphrase), Encoding.ASCII.GetBytes(salt), work, (ulong)blockSize,
            (ulong)parallel, key);
        Assert.Equal(expected, Convert.ToHexStringLower(key));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(21)]
    [InlineData(63)]
    public void Work_that_nobody_should_be_made_to_do_is_refused(int work) =>
        Assert.Equal(
            FailureKind.Unsupported,
            Assert.Throws<VirgaException>(() => Scrypt.Derive("p"u8, "s"u8, work, new byte[32])).Kind);

    [Fact]
    public void The_default_work_fits_into_its_memory()
    {
        var key = new byte[32];
        Scrypt.Derive("passphrase"u8, "salt"u8, Scrypt.WorkDefault, key);
        Assert.NotEqual(new byte[32], key);
    }
}
