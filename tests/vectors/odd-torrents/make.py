"""
Makes the torrents of this folder, each with one oddity that its name tells, and writes down what libtorrent makes of them.
Run by hand with Debian 12's python3-libtorrent (2.0.8): /usr/bin/python3 make.py
"""
import glob, hashlib, json, os
import libtorrent as lt

out = os.path.dirname(os.path.abspath(__file__))
for f in glob.glob(out + '/*.torrent'): os.remove(f)

def be(x):
    if isinstance(x,int): return b'i%de'%x
    if isinstance(x,str): x=x.encode()
    if isinstance(x,bytes): return b'%d:%s'%(len(x),x)
    if isinstance(x,list): return b'l'+b''.join(be(i) for i in x)+b'e'
    if isinstance(x,Raw): return x.b
    return b'd'+b''.join(be(k)+be(v) for k,v in sorted((k.encode() if isinstance(k,str) else k,v) for k,v in x.items()))+b'e'
class Raw:
    def __init__(s,b): s.b=b
R=hashlib.sha256(b'r').digest()
def tree(data,piece=16384):
    leaves=[hashlib.sha256(data[i:i+16384]).digest() for i in range(0,len(data),16384)]
    n=1
    while n<len(leaves): n*=2
    per=piece//16384
    def red(l,z,n):
        l=l+[z]*(n-len(l))
        while len(l)>1: l=[hashlib.sha256(l[i]+l[i+1]).digest() for i in range(0,len(l),2)]
        return l[0]
    root=red(leaves,b'\0'*32,n)
    layer=b''.join(red(leaves[i:i+per],b'\0'*32,per) for i in range(0,len(leaves),per))
    return root,layer
D=b'x'*50000; D2=b'y'*40000
r1,l1=tree(D); r2,l2=tree(D2)
def v2(t,name='n',layers=None,**k):
    i={'file tree':t,'meta version':2,'name':name,'piece length':16384}; i.update(k)
    d={'info':i}
    if layers is not None: d['piece layers']=layers
    return be(d)
F=lambda n,r=R,**k: {'':dict({'length':n,'pieces root':r},**k)}
def v1(**k):
    i={'length':100,'name':'n','piece length':16384,'pieces':b'a'*20}; i.update(k)
    i={a:b for a,b in i.items() if b is not None}
    return be({'info':i})
def vm(files,total,**k):
    i={'files':files,'name':'n','piece length':16384,'pieces':b'a'*20*((total+16383)//16384)}; i.update(k)
    return be({'info':i})
cases={
'v2-ok':v2({'a':F(5)}),
'v2-empty-with-root':v2({'a':F(0),'b':F(5)}),
'v2-empty-zero-root':v2({'a':F(0,b'\0'*32),'b':F(5)}),
'v2-empty-short-root':v2({'a':F(0,b'\0'*31),'b':F(5)}),
'v2-missing-one-layer':v2({'a':F(50000,r1),'b':F(40000,r2)},layers={r1:l1}),
'v2-both-layers':v2({'a':F(50000,r1),'b':F(40000,r2)},layers={r1:l1,r2:l2}),
'v2-foreign-layer':v2({'a':F(50000,r1)},layers={r1:l1,R:l2}),
'v2-wrong-layer':v2({'a':F(50000,r1)},layers={r1:l1[::-1]}),
'v2-short-layer':v2({'a':F(50000,r1)},layers={r1:l1[32:]}),
'v2-layer-not-string':v2({'a':F(50000,r1)},layers={r1:5}),
'v2-layer-odd-key':v2({'a':F(50000,r1)},layers={r1:l1,'x':'y'}),
'v2-layers-not-dict':v2({'a':F(50000,r1)},layers=[]),
'v2-layers-empty':v2({'a':F(50000,r1)},layers={}),
'v2-same-root-other-length':v2({'a':F(50000,r1),'b':F(40000,r1)},layers={r1:l1}),
'v3':v2({'a':F(5)},**{'meta version':3}),
'v2-meta-0-with-tree':v2({'a':F(5)},**{'meta version':0}),
'v2-meta-1-with-tree':v2({'a':F(5)},**{'meta version':1}),
'v1-meta-1':v1(**{'meta version':1}),
'v2-meta-string':v2({'a':F(5)},**{'meta version':'2'}),
'v2-tree-list':v2([]),
'v2-tree-empty':v2({}),
'v2-dot-file':v2({'.':F(5)}),
'v2-dot-in-folder':v2({'x':{'.':F(5),'b':F(6)}}),
'v2-slash-file':v2({'/':F(5)}),
'v2-slashes':v2({'//a':F(5),'b':F(6)}),
'v2-both-file-folder':v2({'a':{'':{'length':5,'pieces root':R},'b':F(5)}}),
'v2-empty-folder':v2({'a':{},'b':F(5)}),
'v2-file-not-dict':v2({'a':{'':5}}),
'v2-node-not-dict':v2({'a':5}),
'v2-empty-key-top':v2({'':F(5)}),
'v2-file-at-top':v2({'':{'length':5,'pieces root':R}}),
'v2-pad-attr':v2({'a':F(5,attr='p')}),
'v2-hidden':v2({'a':F(5,attr='h'),'b':F(4,attr='hx')}),
'v2-link-no-path':v2({'a':F(5,attr='l'),'b':F(5)}),
'v2-link-no-path-no-root':v2({'a':{'':{'attr':'l'}},'b':F(5)}),
'v2-link-with-length':v2({'a':{'':{'attr':'l','length':7,'symlink path':['b']}},'b':F(5)}),
'v2-link-dotdot':v2({'a':{'':{'attr':'l','symlink path':['..','..']}},'b':F(5)}),
'v2-link-int':v2({'a':{'':{'attr':'l','symlink path':[5]}},'b':F(5)}),
'v2-link-path-string':v2({'a':{'':{'attr':'l','symlink path':'b'}},'b':F(5)}),
'v2-only-link':v2({'a':{'':{'attr':'l','symlink path':['b']}}}),
'v2-negative':v2({'a':F(-5)}),
'v2-huge':v2({'a':F(1<<44)}),
'v2-huge-less':v2({'a':F((1<<44)-16384*2)},**{'piece length':1<<26}),
'v2-pieces-16tib':v2({'a':F((1<<44)-16384*3)},**{'piece length':1<<29}),
'v2-piece-2g':v2({'a':F(5)},**{'piece length':1<<31}),
'v2-piece-1g':v2({'a':F(5)},**{'piece length':1<<30}),
'v2-piece-512m':v2({'a':F(5)},**{'piece length':1<<29}),
'v1-piece-1g':v1(**{'piece length':1<<30}),
'v1-piece-1g-1':v1(**{'piece length':(1<<30)-1}),
'v1-piece-1':v1(**{'piece length':1,'length':3,'pieces':b'a'*60}),
'v1-ok':v1(),
'v1-name-empty':v1(name=''),
'v1-name-dot':v1(name='.'),
'v1-name-dots':v1(name='..'),
'v1-name-int':v1(name=5),
'v1-name-utf8':v1(**{'name.utf-8':'utf'}),
'v1-name-utf8-int':v1(**{'name.utf-8':5}),
'v1-name-utf8-empty':v1(**{'name.utf-8':''}),
'v1-private':v1(private=1),
'v1-private-str':v1(private='1'),
'v1-private-2':v1(private=2),
'v1-link':v1(attr='l',**{'symlink path':['b']}),
'v1-exec':v1(attr='x'),
'v1-pad-only':v1(attr='p'),
'v1-pad-name':v1(name='_____padding_file_0'),
'v1-no-pieces':v1(pieces=None),
'v1-length-str':v1(length='5'),
'vm-ok':vm([{'length':5,'path':['a']},{'length':6,'path':['b','c']}],11),
'vm-empty-list':vm([],1),
'vm-not-dict':vm([5],1),
'vm-path-empty':vm([{'length':5,'path':[]}],5),
'vm-path-int':vm([{'length':5,'path':[5]}],5),
'vm-path-missing':vm([{'length':5}],5),
'vm-path-utf8':vm([{'length':5,'path':['a'],'path.utf-8':['b']}],5),
'vm-path-utf8-empty':vm([{'length':5,'path':['a'],'path.utf-8':[]}],5),
'vm-path-utf8-str':vm([{'length':5,'path':['a'],'path.utf-8':'b'}],5),
'vm-dots':vm([{'length':5,'path':['..','.','a']},{'length':5,'path':['..']}],10),
'vm-file-folder':vm([{'length':5,'path':['a']},{'length':5,'path':['a','b']}],10),
'vm-folder-file':vm([{'length':5,'path':['a','b']},{'length':5,'path':['a']}],10),
'vm-case':vm([{'length':5,'path':['A','b']},{'length':5,'path':['a','B']}],10),
'vm-dup-ext':vm([{'length':5,'path':['.x']},{'length':5,'path':['.x']},{'length':5,'path':['y.']},{'length':5,'path':['y.']},{'length':5,'path':['z.tar.gz']},{'length':5,'path':['z.tar.gz']}],30),
'vm-dup-many':vm([{'length':5,'path':['a.t']}]*4+[{'length':1,'path':['a.1.t']}],21),
'vm-pads':vm([{'length':5,'path':['.pad','3'],'attr':'p'},{'length':5,'path':['.pad','3'],'attr':'p'},{'length':6,'path':['.pad','3'],'attr':'p'},{'length':1,'path':['f']}],17),
'vm-link-missing':vm([{'length':5,'path':['a']},{'attr':'l','length':0,'path':['b'],'symlink path':['zz']}],5),
'vm-link-folder':vm([{'length':5,'path':['a','x']},{'attr':'l','length':9,'path':['b'],'symlink path':['a']}],5),
'vm-zero':vm([{'length':0,'path':['a']}],0,pieces=b''),
'vm-ctrl':vm([{'length':5,'path':['a\x01b\x1f']},{'length':5,'path':['a\x7fb']},{'length':5,'path':['a\x00b']}],15),
'vm-utf8-bad':vm([{'length':5,'path':[b'a\xffb']},{'length':5,'path':[b'\xc3']},{'length':5,'path':[b'\xe2\x82']},{'length':5,'path':[b'\xf0\x9f\x8c']},{'length':5,'path':[b'\xed\xa0\x80z']},{'length':5,'path':[b'\xc0\x80q']},{'length':5,'path':[b'\xf8\x88\x80\x80\x80w']},{'length':5,'path':[b'\xf4\x90\x80\x80r']},{'length':5,'path':[b'\xc3zA']},{'length':5,'path':[b'\xe2\x82zB']},{'length':5,'path':[b'\x80C']},{'length':5,'path':[b'\xfeD']}],60),
'vm-long':vm([{'length':5,'path':['a'*239+'.txt']},{'length':5,'path':['b'*240+'.txt']},{'length':5,'path':['c'*300+'.txt']},{'length':5,'path':['d'*300+'.extension9']},{'length':5,'path':['e'*300+'.extensi89']},{'length':5,'path':['\u20ac'*100+'.x']},{'length':5,'path':['f'*232+'.'+'g'*20]},{'length':5,'path':['h'*241]},{'length':5,'path':['i'*236+'.txt']},{'length':5,'path':['j'*235+'.txt.gz']},{'length':5,'path':['k'*238+'.'+'l'*5+'.m']}],55),
'hy-ok':be({'info':{'file tree':{'a':F(5)},'meta version':2,'name':'a','piece length':16384,'length':5,'pieces':b'a'*20}}),
'hy-name-other':be({'info':{'file tree':{'a':F(5)},'meta version':2,'name':'b','piece length':16384,'length':5,'pieces':b'a'*20}}),
'hy-length-other':be({'info':{'file tree':{'a':F(5)},'meta version':2,'name':'a','piece length':16384,'length':6,'pieces':b'a'*20}}),
'hy-no-pieces':be({'info':{'file tree':{'a':F(5)},'meta version':2,'name':'a','piece length':16384,'length':5}}),
'hy-pieces-only':be({'info':{'file tree':{'a':F(5)},'meta version':2,'name':'a','piece length':16384,'pieces':b'a'*20}}),
'hy-pieces-wrong':be({'info':{'file tree':{'a':F(5)},'meta version':2,'name':'a','piece length':16384,'pieces':b'a'*19}}),
'hy-multi':be({'info':{'file tree':{'a':F(5),'b':F(6)},'meta version':2,'name':'n','piece length':16384,'pieces':b'a'*40,'files':[{'length':5,'path':['a']},{'attr':'p','length':16379,'path':['.pad','16379']},{'length':6,'path':['b']}]}}),
'hy-multi-order':be({'info':{'file tree':{'a':F(5),'b':F(6)},'meta version':2,'name':'n','piece length':16384,'pieces':b'a'*40,'files':[{'length':6,'path':['b']},{'attr':'p','length':16378,'path':['.pad','16378']},{'length':5,'path':['a']}]}}),
'hy-multi-nopad':be({'info':{'file tree':{'a':F(5),'b':F(6)},'meta version':2,'name':'n','piece length':16384,'pieces':b'a'*40,'files':[{'length':5,'path':['a']},{'length':6,'path':['b']}]}}),
'hy-multi-exec':be({'info':{'file tree':{'a':F(5,attr='x'),'b':F(6)},'meta version':2,'name':'n','piece length':16384,'pieces':b'a'*40,'files':[{'length':5,'path':['a']},{'attr':'p','length':16379,'path':['.pad','16379']},{'length':6,'path':['b']}]}}),
'hy-multi-empty-missing':be({'info':{'file tree':{'a':F(5),'b':F(6),'c':{'':{'length':0}}},'meta version':2,'name':'n','piece length':16384,'pieces':b'a'*40,'files':[{'length':5,'path':['a']},{'attr':'p','length':16379,'path':['.pad','16379']},{'length':6,'path':['b']}]}}),
'hy-multi-tailpad':be({'info':{'file tree':{'a':F(5),'b':F(6)},'meta version':2,'name':'n','piece length':16384,'pieces':b'a'*40,'files':[{'length':5,'path':['a']},{'attr':'p','length':16379,'path':['.pad','16379']},{'length':6,'path':['b']},{'attr':'p','length':16378,'path':['.pad','16378']}]}}),
'hy-multi-one':be({'info':{'file tree':{'a':F(5)},'meta version':2,'name':'n','piece length':16384,'pieces':b'a'*20,'files':[{'length':5,'path':['a']}]}}),
'hy-multi-folder':be({'info':{'file tree':{'x':{'a':F(5)}},'meta version':2,'name':'n','piece length':16384,'pieces':b'a'*20,'files':[{'length':5,'path':['x','a']}]}}),
'hy-empties-differ':be({'info':{'file tree':{'a':F(5),'b':{'':{'length':0}}},'meta version':2,'name':'n','piece length':16384,'pieces':b'a'*20,'files':[{'length':5,'path':['a']},{'length':0,'path':['q']}]}}),
'v2-one-in-folder':v2({'x':{'a':F(5)}}),
'trailing':v1()+b'xx',
'unsorted-v1':b'd4:infod4:name1:n6:lengthi5e12:piece lengthi16384e6:pieces20:'+b'a'*20+b'ee',
'unsorted-v2':v2({}).replace(b'9:file treede',b'4:zzzzi1e9:file treed1:ad0:d6:lengthi5e11:pieces root32:'+R+b'eee'),
'unsorted-tree':v2({}).replace(b'9:file treede',b'9:file treed1:bd0:d6:lengthi5e11:pieces root32:'+R+b'ee1:ad0:d6:lengthi5e11:pieces root32:'+R+b'eee'),
'dup-key-v1':b'd4:infod6:lengthi5e6:lengthi6e4:name1:n12:piece lengthi16384e6:pieces20:'+b'a'*20+b'ee',
'dup-key-v2':v2({}).replace(b'9:file treede',b'9:file treed1:ad0:d6:lengthi5e11:pieces root32:'+R+b'ee1:ad0:d6:lengthi6e11:pieces root32:'+R+b'eee'),
'leading-zero-v1':v1().replace(b'i100e',b'i0100e'),
'leading-zero-v2':v2({'a':F(5)}).replace(b'i5e',b'i05e'),
'minus-zero-v1':v1(private=77).replace(b'i77e',b'i-0e'),
'len-zero-v1':v1().replace(b'4:name',b'04:name'),
'int-huge':v1(junk=7777).replace(b'i7777e',b'i99999999999999999999999e'),
'deep':v1(junk=Raw(b'l'*90+b'e'*90)),
'deeper':v1(junk=Raw(b'l'*120+b'e'*120)),
'info-list':be({'info':[]}),
'info-empty':be({'info':{}}),
'empty':b'',
'just-e':b'e',
'trackers':be({'announce':'udp://a','announce-list':[[' http://b ','http://b'],['http://c',5],'x'],'info':{'length':100,'name':'n','piece length':16384,'pieces':b'a'*20},'url-list':['http://s','http://s',5,'']}),
'trackers-empty-list':be({'announce':'udp://a','announce-list':[],'info':{'length':100,'name':'n','piece length':16384,'pieces':b'a'*20}}),
}
exp={}
for n,b in cases.items():
    fn=n+'.torrent'; open(out+'/'+fn,'wb').write(b)
    try:
        ti=lt.torrent_info(b)
        fs=ti.files(); ih=ti.info_hashes()
        files=[]
        for i in range(fs.num_files()):
            fl=int(fs.file_flags(i))
            r=None
            try: r=str(fs.root(i)) if ih.has_v2() and not fl&1 else None
            except Exception as e: pass
            files.append(dict(flags=fl,path=fs.file_path(i),root=r,size=fs.file_size(i)))
        exp[fn]=dict(accept=True,name=ti.name(),piece_length=ti.piece_length(),private=ti.priv(),trackers=[[t.url,t.tier] for t in ti.trackers()],v1=str(ih.v1) if ih.has_v1() else None,v2=str(ih.v2) if ih.has_v2() else None,files=files,web_seeds=[w['url'] for w in ti.web_seeds()])
    except Exception as e:
        exp[fn]=dict(accept=False,error=str(e))
json.dump(exp,open(out+'/expected-by-libtorrent-2.0.8.json','w'),indent=1,sort_keys=True)
